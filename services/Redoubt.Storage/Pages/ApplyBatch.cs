using System.Buffers.Binary;
using Redoubt.Protocol;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>
/// Turns log entries into store rows: entry → record → block changes and small things → one write batch with the applied LSN in it.
/// Everything is keyed by LSN, so applying an entry again writes the same rows. Single-threaded.
/// </summary>
internal sealed partial class ApplyBatch : IDisposable
{
    private const int MaxBatchBytes = 4 << 20;
    private readonly PageStore _store;
    private readonly GroupRouter _router;
    private readonly int _group;
    private readonly PgVersion _version;
    private readonly WriteBatch _batch = new();
    private readonly Dictionary<(RelFileLocator Rel, byte Fork), uint?> _sizes = [];
    private readonly Dictionary<HeapStripe, StaleBlocks> _marks = [];
    private readonly PageHeat _heat;
    private byte[] _value = new byte[16 << 10];
    private ControlState? _control;
    private bool _hasControl;
    private ulong _lsn;
    private ushort _ordinal;
    private long _batchBytes;

    /// <param name="store">Where rows go.</param>
    /// <param name="router">Which pages are this group's.</param>
    /// <param name="group">This group.</param>
    /// <param name="version">The log's version.</param>
    /// <param name="heat">Learns which pages' chains grow.</param>
    public ApplyBatch(PageStore store, GroupRouter router, int group, PgVersion version, PageHeat heat)
    {
        _store = store;
        _router = router;
        _group = group;
        _version = version;
        _heat = heat;
        Applied = store.ReadApplied();
        if (store.Newest(StoreKeys.Control, [], Applied, out _) is { } control)
        {
            _control = ControlState.Decode(control);
            _hasControl = true;
        }
    }

    /// <summary>End of the last entry applied and written.</summary>
    public ulong Applied { get; private set; }

    /// <summary>Applies one entry; the rows wait for <see cref="Commit"/>.</summary>
    /// <exception cref="WalFormatException">The record contradicts itself or has no redo.</exception>
    /// <exception cref="LogFrameException">An import item contradicts itself.</exception>
    public void Add(in LogEntry entry)
    {
        _lsn = entry.End.Value;
        _ordinal = 0;
        if (entry.Kind == LogEntryKind.Import)
        {
            Import(ImportItem.Parse(entry.Body.ToArray()));
        }
        else
        {
            var record = new WalRecord(entry.Start, entry.End, entry.Body);
            _control ??= ControlState.Blank(_version);
            var sink = new Sink(this);
            RecordSplitter.Split(_version, record, _control, ref sink);
            _control.Apply(_version, record);
        }

        if (_batchBytes > MaxBatchBytes)
        {
            WritePart();
        }
    }

    /// <summary>Writes what was added, with the new applied LSN.</summary>
    public void Commit(ulong applied)
    {
        if (_hasControl && _control is { } control)
        {
            Put(StoreKeys.Versioned(StoreKeys.Control, [], applied), control.Encode());
        }

        Span<byte> value = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(value, applied);
        Put(StoreKeys.Applied, value);
        WritePart();
        Applied = applied;
    }

    public void Dispose() => _batch.Dispose();

    /// <summary>Writes rows without moving the applied LSN: after a crash they are written again, the same.</summary>
    private void WritePart()
    {
        _store.FreeSpace.Write(_batch, _marks);
        _marks.Clear();
        _batch.Clear();
        _batchBytes = 0;
    }

    private void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        _batch.Put(key, value);
        _batchBytes += key.Length + value.Length + 16;
    }

    private void Block(in BlockChange change)
    {
        var key = change.Key;
        if (_router.GroupOf(key) != _group)
        {
            return;
        }

        Grow(key);
        int length = change.EncodedLength;
        if (_value.Length < RowValue.HeaderLength + length)
        {
            _value = new byte[Math.Max(_value.Length * 2, RowValue.HeaderLength + length)];
        }

        int written = change.Encode(_value.AsSpan(RowValue.HeaderLength));
        bool first = (change.Flags & (BlockChangeFlags.WillInit | BlockChangeFlags.ApplyImage)) != 0
            || (change.Rmgr == BlockChange.Implicit
                && (ImplicitChange)change.Info is ImplicitChange.SlruZeroPage or ImplicitChange.Import);
        PutPage(key, first ? RowKind.FirstChange : RowKind.Change, written);
        _heat.Touch(key, first);
        MarkSpace(change);
    }

    private void PutImage(in PageKey key, ReadOnlySpan<byte> page)
    {
        page.CopyTo(_value.AsSpan(RowValue.HeaderLength));
        PutPage(key, RowKind.Image, PageRedo.PageSize);
    }

    private void PutPage(in PageKey key, RowKind kind, int payloadLength)
    {
        Span<byte> rowKey = stackalloc byte[StoreKeys.PageLength];
        StoreKeys.WritePage(rowKey, key, _lsn, _ordinal++);
        var value = _value.AsSpan(0, RowValue.HeaderLength + payloadLength);
        RowValue.Seal(value, kind);
        Put(rowKey, value);
    }

    private void Grow(in PageKey key)
    {
        if (SizeOf(key.Rel, (byte)key.Fork) is not { } blocks || blocks <= key.Block)
        {
            SetSize(key.Rel, (byte)key.Fork, key.Block + 1);
        }
    }

    private uint? SizeOf(in RelFileLocator rel, byte fork)
    {
        if (_sizes.TryGetValue((rel, fork), out uint? size))
        {
            return size;
        }

        // Only rows before this record: a crash in the middle of a batch may have left later ones.
        size = _store.ForkSize(rel, fork, _lsn - 1);
        if (_sizes.Count > 100_000)
        {
            // The rows of sizes in the batch are not in the store yet.
            WritePart();
            _sizes.Clear();
        }

        _sizes[(rel, fork)] = size;
        return size;
    }

    private void SetSize(in RelFileLocator rel, byte fork, uint? blocks)
    {
        Span<byte> key = stackalloc byte[StoreKeys.ForkLength];
        StoreKeys.WriteFork(key, StoreKeys.ForkSize, rel, fork, _lsn);
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(value, blocks ?? uint.MaxValue);
        Put(key, value);
        _sizes[(rel, fork)] = blocks;
    }

    private void Cut(in RelFileLocator rel, byte fork, uint blocks, uint from = 0)
    {
        Span<byte> key = stackalloc byte[StoreKeys.ForkLength];
        StoreKeys.WriteFork(key, StoreKeys.Cut, rel, fork, _lsn);
        Span<byte> value = stackalloc byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(value, blocks);
        BinaryPrimitives.WriteUInt32LittleEndian(value[4..], from);
        Put(key, value);
        _store.Cuts.Add(rel, fork, blocks, _lsn, from);
    }

    private void Small(byte kind, ReadOnlySpan<byte> name, ReadOnlySpan<byte> contents, bool exists = true)
    {
        byte[] value = new byte[1 + contents.Length];
        value[0] = exists ? (byte)1 : (byte)0;
        contents.CopyTo(value.AsSpan(1));
        Put(StoreKeys.Versioned(kind, name, _lsn), value);
    }
}
