using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>The changes of a <see cref="ChangeRun"/>'s row, oldest first.</summary>
/// <param name="key">The page.</param>
/// <param name="first">LSN in the row's key.</param>
/// <param name="payload">From <see cref="RowValue.Open"/>.</param>
internal ref struct ChangeRunReader(PageKey key, ulong first, ReadOnlySpan<byte> payload)
{
    private readonly ReadOnlySpan<byte> _payload = payload;
    private int _next = ChangeRun.HeaderLength;

    /// <summary>LSN of this change.</summary>
    public ulong Lsn { get; private set; }

    /// <summary>Where <see cref="Change"/> begins in the payload.</summary>
    public int Offset { get; private set; }

    /// <summary>Length of <see cref="Change"/>.</summary>
    public int Length { get; private set; }

    /// <summary>The encoded change.</summary>
    public readonly ReadOnlySpan<byte> Change => _payload.Slice(Offset, Length);

    /// <exception cref="StoreCorruptException">The row contradicts itself.</exception>
    public bool MoveNext()
    {
        if (_next == _payload.Length)
        {
            return false;
        }

        if (_payload.Length - _next < ChangeRun.ItemOverhead)
        {
            throw Contradiction();
        }

        var item = _payload[_next..];
        Lsn = first + BinaryPrimitives.ReadUInt32LittleEndian(item);
        Offset = _next + ChangeRun.ItemOverhead;
        Length = BinaryPrimitives.ReadInt32LittleEndian(item[4..]);
        if (Length < 0 || Length > _payload.Length - Offset)
        {
            throw Contradiction();
        }

        _next = Offset + Length;
        return true;
    }

    private readonly StoreCorruptException Contradiction() =>
        new($"stored changes of {key} from {new Wal.Lsn(first)} on end in the middle of one");
}
