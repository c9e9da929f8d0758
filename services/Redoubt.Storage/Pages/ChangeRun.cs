using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>Changes of one page that follow one another, gathered into one row, which is named by the first one's LSN. Used again and again.</summary>
/// <remarks>
/// The row's payload: u32 distance from the first LSN to the last, u32 number of changes, and per change u32 distance from the first LSN, u32 length,
/// encoded change. The runs of a page do not overlap, and no run reaches across an applied LSN, an image's LSN or a cut.
/// </remarks>
internal sealed class ChangeRun
{
    /// <summary>Bytes of a payload before its first change.</summary>
    public const int HeaderLength = 8;

    /// <summary>Bytes beside an encoded change.</summary>
    public const int ItemOverhead = 8;

    private const int Begin = RowValue.HeaderLength + HeaderLength;
    private byte[] _value = new byte[512];
    private int _used;
    private RowKind _kind;
    private ulong _last;

    /// <summary>LSN of the first change.</summary>
    public ulong First { get; private set; }

    /// <summary>Ordinal of the first change in its record.</summary>
    public ushort Ordinal { get; private set; }

    /// <summary>Number of changes.</summary>
    public int Count { get; private set; }

    /// <summary>True when the first change does not need the page before it.</summary>
    public bool StartsPage => _kind == RowKind.FirstChange;

    /// <summary>Bytes of the row.</summary>
    public int Length => _used;

    /// <summary>Bytes that it can take without a larger buffer.</summary>
    public int Capacity => _value.Length;

    /// <summary>Begins a new run.</summary>
    public void Start(ulong first, ushort ordinal, bool startsPage)
    {
        First = _last = first;
        Ordinal = ordinal;
        Count = 0;
        _kind = startsPage ? RowKind.FirstChange : RowKind.Change;
        _used = Begin;
    }

    /// <summary>Adds a change.</summary>
    /// <returns>Bytes that it takes.</returns>
    public int Add(ulong lsn, in BlockChange change)
    {
        Span<byte> item = Take(lsn, change.EncodedLength);
        return ItemOverhead + change.Encode(item);
    }

    /// <summary>The row's value.</summary>
    public ReadOnlySpan<byte> Seal()
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_value.AsSpan(RowValue.HeaderLength), (uint)(_last - First));
        BinaryPrimitives.WriteInt32LittleEndian(_value.AsSpan(RowValue.HeaderLength + 4), Count);
        var value = _value.AsSpan(0, _used);
        RowValue.Seal(value, _kind);
        return value;
    }

    /// <summary>What of a row's value is at or below an LSN, as a value of its own.</summary>
    /// <exception cref="StoreCorruptException">The row fails its CRC.</exception>
    public ReadOnlySpan<byte> Cut(scoped in PageKey key, ulong first, scoped ReadOnlySpan<byte> value, ulong last)
    {
        var reader = new ChangeRunReader(key, first, RowValue.Open(key, first, value, out _kind));
        Start(first, 0, _kind == RowKind.FirstChange);
        while (reader.MoveNext() && reader.Lsn <= last)
        {
            reader.Change.CopyTo(Take(reader.Lsn, reader.Change.Length));
        }

        return Seal();
    }

    private Span<byte> Take(ulong lsn, int length)
    {
        int needed = _used + ItemOverhead + length;
        if (_value.Length < needed)
        {
            Array.Resize(ref _value, Math.Max(_value.Length * 2, needed));
        }

        var item = _value.AsSpan(_used);
        BinaryPrimitives.WriteUInt32LittleEndian(item, (uint)(lsn - First));
        BinaryPrimitives.WriteInt32LittleEndian(item[4..], length);
        _used = needed;
        _last = lsn;
        Count++;
        return item.Slice(ItemOverhead, length);
    }
}
