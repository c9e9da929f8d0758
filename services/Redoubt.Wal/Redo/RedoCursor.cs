using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Reads a record's data from front to back, every length checked: what is not there is a <see cref="RedoException"/>.
/// The change is passed along to name the record in errors.
/// </summary>
internal ref struct RedoCursor(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> rest = data;

    /// <summary>The bytes not yet read.</summary>
    public readonly ReadOnlySpan<byte> Rest => rest;

    public readonly bool IsEmpty => rest.IsEmpty;

    public byte Byte(scoped in BlockChange change) => Take(change, 1)[0];

    public ushort UInt16(scoped in BlockChange change) => BinaryPrimitives.ReadUInt16LittleEndian(Take(change, 2));

    public uint UInt32(scoped in BlockChange change) => BinaryPrimitives.ReadUInt32LittleEndian(Take(change, 4));

    /// <summary>The next <paramref name="length"/> bytes.</summary>
    public ReadOnlySpan<byte> Take(scoped in BlockChange change, int length)
    {
        if ((uint)length > (uint)rest.Length)
        {
            BufPage.Fail(change, $"record data ends early: {length} bytes wanted, {rest.Length} left");
        }

        ReadOnlySpan<byte> taken = rest[..length];
        rest = rest[length..];
        return taken;
    }

    /// <summary>The next index tuple, by its own <c>t_info</c> length rounded up to 8 when <paramref name="aligned"/>.</summary>
    public ReadOnlySpan<byte> TakeIndexTuple(scoped in BlockChange change, bool aligned)
    {
        if (rest.Length < IndexTuple.HeaderSize)
        {
            BufPage.Fail(change, $"record data ends early: an index tuple wanted, {rest.Length} bytes left");
        }

        int size = IndexTuple.Size(rest);
        if (size < IndexTuple.HeaderSize)
        {
            BufPage.Fail(change, $"index tuple of {size} bytes");
        }

        return Take(change, aligned ? BufPage.MaxAlign(size) : size);
    }
}
