namespace Redoubt.Wal.Redo;

/// <summary>
/// PostgreSQL's own compression (common/pg_lzcompress.c): control bytes whose bits, lowest first, say whether a literal byte or a
/// match follows. A match is two bytes (4 bits length - 3, 12 bits distance) and, for length code 15, a third that adds to the length.
/// </summary>
internal static class Pglz
{
    /// <summary>True when the source decompresses to exactly <paramref name="destination"/>'s length, using all of the source.</summary>
    public static bool TryDecompress(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        int from = 0;
        int to = 0;
        while (from < source.Length && to < destination.Length)
        {
            int control = source[from++];
            for (int item = 0; item < 8 && from < source.Length && to < destination.Length; item++, control >>= 1)
            {
                if ((control & 1) == 0)
                {
                    destination[to++] = source[from++];
                    continue;
                }

                if (from + 2 > source.Length)
                {
                    return false;
                }

                int length = (source[from] & 0x0F) + 3;
                int distance = ((source[from] & 0xF0) << 4) | source[from + 1];
                from += 2;
                if (length == 18)
                {
                    if (from >= source.Length)
                    {
                        return false;
                    }

                    length += source[from++];
                }

                if (distance == 0 || distance > to)
                {
                    return false;
                }

                // The match may overlap what it produces: copy in order.
                length = Math.Min(length, destination.Length - to);
                for (int i = 0; i < length; i++, to++)
                {
                    destination[to] = destination[to - distance];
                }
            }
        }

        return to == destination.Length && from == source.Length;
    }
}
