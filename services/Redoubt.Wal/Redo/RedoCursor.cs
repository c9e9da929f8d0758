using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Reads a record's data from front to back, every length checked: what is not there is a <see cref="RedoException"/>.
/// The change is passed along to name the record in errors.
/// </summary>
internal ref struct RedoCursor(ReadOnlySpan<byte> data)
{
    private ReadOnlySpan<byte> _rest = data;

    /// <summary>The bytes not yet read.</summary>
    public readonly ReadOnlySpan<byte> Rest => _rest;

    public readonly bool IsEmpty => _rest.IsEmpty;

    public byte Byte(scoped in BlockChange change) => Take(change, 1)[0];

    public ushort UInt16(scoped in BlockChange change) => BinaryPrimitives.ReadUInt16LittleEndian(Take(change, 2));

    public uint UInt32(scoped in BlockChange change) => BinaryPrimitives.ReadUInt32LittleEndian(Take(change, 4));

    /// <summary>The next <paramref name="length"/> bytes.</summary>
    public ReadOnlySpan<byte> Take(scoped in BlockChange change, int length)
    {
        if ((uint)length > (uint)_rest.Length)
        {
            BufPage.Fail(change, $"record data ends early: {length} bytes wanted, {_rest.Length} left");
        }

        ReadOnlySpan<byte> taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }

    /// <summary>The next index tuple, by its own <c>t_info</c> length rounded up to 8 when <paramref name="aligned"/>.</summary>
    public ReadOnlySpan<byte> TakeIndexTuple(scoped in BlockChange change, bool aligned)
    {
        if (_rest.Length < IndexTuple.HeaderSize)
        {
            BufPage.Fail(change, $"record data ends early: an index tuple wanted, {_rest.Length} bytes left");
        }

        int size = IndexTuple.Size(_rest);
        if (size < IndexTuple.HeaderSize)
        {
            BufPage.Fail(change, $"index tuple of {size} bytes");
        }

        return Take(change, aligned ? BufPage.MaxAlign(size) : size);
    }
}
