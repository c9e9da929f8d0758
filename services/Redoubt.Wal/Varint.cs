namespace Redoubt.Wal;

/// <summary>Unsigned LEB128, at most five bytes.</summary>
internal static class Varint
{
    public static int Length(uint value) => value < 1u << 7 ? 1 : value < 1u << 14 ? 2 : value < 1u << 21 ? 3 : value < 1u << 28 ? 4 : 5;

    public static int Write(Span<byte> destination, uint value)
    {
        int at = 0;
        while (value >= 0x80)
        {
            destination[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        destination[at++] = (byte)value;
        return at;
    }

    public static bool TryRead(ReadOnlySpan<byte> source, out uint value, out int used)
    {
        value = 0;
        used = 0;
        while (used < source.Length && used < 5)
        {
            byte b = source[used];
            if (used == 4 && b > 0x0F)
            {
                return false;
            }

            value |= (uint)(b & 0x7F) << (7 * used);
            used++;
            if (b < 0x80)
            {
                return true;
            }
        }

        return false;
    }
}
