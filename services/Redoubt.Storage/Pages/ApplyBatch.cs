using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Redoubt.Protocol;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>
/// Turns log entries into store rows: entry → record → block changes and small things → one write batch with the applied LSN in it.
/// The changes of a page that a batch meets become one row (<see cref="ChangeRun"/>). Single-threaded.
/// </summary>
/// <remarks>
/// Runs are written together with an applied LSN at or above all of theirs, so that a run is never written again with other bounds. Only the
/// rows of one large entry (a database's copy) may be written before it: they have its LSN alone, and applying it again writes the same.
/// </remarks>
internal sealed partial class ApplyBatch : IDisposable
{
    private const int MaxBatchBytes = 4 << 20;
    private const int MaxRunBytes = 64 << 10;
    private const int MaxSpareRuns = 1024;
    private const int MaxSpareRunBytes = 4 << 10;
    private const int MaxSizes = 100_000;
    private readonly PageStore _store;
    private readonly GroupRouter _router;
    private readonly int _group;
    private readonly PgVersion _version;
    private readonly WriteBatch _batch = new();
    private readonly RecordAssembler _records = new();
    private readonly Dictionary<(RelFileLocator Rel, byte Fork), uint?> _sizes = [];
    private readonly Dictionary<HeapStripe, StaleBlocks> _marks = [];
    private readonly Dictionary<PageKey, ChangeRun> _runs = [];
    private readonly Stack<ChangeRun> _spareRuns = [];
    private readonly PageHeat _heat;
    private readonly ulong _imagesAhead;
    private readonly byte[] _image = new byte[RowValue.HeaderLength + PageRedo.PageSize];
    private ControlState? _control;
    private bool _hasControl;
    private ulong _lsn;
    private ulong _added;
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
        Applied = Position = _added = store.ReadApplied();
        _imagesAhead = store.GetLsn(StoreKeys.ImagesAhead);
        if (store.Newest(StoreKeys.Control, [], Applied, out _) is { } control)
        {
            _control = ControlState.Decode(control);
            _hasControl = true;
        }
    }

    /// <summary>End of the last record applied and written.</summary>
    public ulong Applied { get; private set; }

    /// <summary>End of the last entry added: beyond <see cref="Applied"/> while a record's parts come.</summary>
    public ulong Position { get; private set; }

    /// <summary>Rows written so far.</summary>
    public long Rows { get; private set; }

    /// <summary>Applies one entry; its rows wait for <see cref="Commit"/>, which is called here when there are many.</summary>
    /// <exception cref="WalFormatException">The record contradicts itself or has no redo.</exception>
    /// <exception cref="LogFrameException">An import item contradicts itself, or parts of a record are missing.</exception>
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
            Position = _lsn;
            if (!_records.TryTake(entry, out var record))
            {
                return;
            }

            _control ??= ControlState.Blank(_version);
            var sink = new Sink(this);
            RecordSplitter.Split(_version, record, _control, ref sink);
            _control.Apply(_version, record);
        }

        _added = Position = _lsn;
        if (_lsn <= _imagesAhead)
        {
            EndRuns();
        }

        bool manySizes = _sizes.Count > MaxSizes;
        if (_batchBytes > MaxBatchBytes || manySizes)
        {
            Commit();
        }

        if (manySizes)
        {
            _sizes.Clear();
        }
    }

    /// <summary>Writes what was added, with the new applied LSN.</summary>
    public void Commit()
    {
        if (_added == Applied)
        {
            return;
        }

        EndRuns();
        if (_hasControl && _control is { } control)
        {
            Put(StoreKeys.Versioned(StoreKeys.Control, [], _added), control.Encode());
        }

        Span<byte> value = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(value, _added);
        Put(StoreKeys.Applied, value);
        Write();
        Applied = _added;
    }

    public void Dispose() => _batch.Dispose();

    private void Write()
    {
        _store.FreeSpace.Write(_batch, _marks);
        _marks.Clear();
        _batch.Clear();
        _batchBytes = 0;
    }

    private void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Rows++;
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

        if (!change.MakesPage && !(SizeOf(key.Rel, (byte)key.Fork) > key.Block))
        {
            return;
        }

        bool first = (change.Flags & (BlockChangeFlags.WillInit | BlockChangeFlags.ApplyImage)) != 0
            || (change.Rmgr == BlockChange.Implicit
                && (ImplicitChange)change.Info is ImplicitChange.SlruZeroPage or ImplicitChange.Import);
        _batchBytes += RunFor(key, first).Add(_lsn, change);
        _ordinal++;
        MarkSpace(change);
    }

    /// <summary>The run that the page's next change goes to. The fork grows with a run's beginning: what makes it smaller ends all runs.</summary>
    private ChangeRun RunFor(in PageKey key, bool first)
    {
        ref var run = ref CollectionsMarshal.GetValueRefOrAddDefault(_runs, key, out bool open);
        if (open && !first && run!.Length < MaxRunBytes)
        {
            return run;
        }

        if (open)
        {
            PutRun(key, run!);
        }
        else
        {
            run = _spareRuns.TryPop(out var spare) ? spare : new ChangeRun();
            Grow(key);
        }

        run!.Start(_lsn, _ordinal, first);
        return run;
    }

    private void EndRuns()
    {
        foreach (var (key, run) in _runs)
        {
            PutRun(key, run);
            if (_spareRuns.Count < MaxSpareRuns && run.Capacity <= MaxSpareRunBytes)
            {
                _spareRuns.Push(run);
            }
        }

        _runs.Clear();
    }

    private void PutRun(in PageKey key, ChangeRun run)
    {
        Span<byte> rowKey = stackalloc byte[StoreKeys.PageLength];
        StoreKeys.WritePage(rowKey, key, run.First, run.Ordinal);
        Put(rowKey, run.Seal());
        _heat.Touch(key, run.StartsPage, run.Count);
    }

    /// <remarks>For pages of which this batch has no run.</remarks>
    private void PutImage(in PageKey key, ReadOnlySpan<byte> page)
    {
        Span<byte> rowKey = stackalloc byte[StoreKeys.PageLength];
        StoreKeys.WritePage(rowKey, key, _lsn, _ordinal++);
        page.CopyTo(_image.AsSpan(RowValue.HeaderLength));
        RowValue.Seal(_image, RowKind.Image);
        Put(rowKey, _image);
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

        // Only rows before this record: a crash in the middle of it may have left its own.
        size = _store.ForkSize(rel, fork, _lsn - 1);
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
        EndRuns();
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
