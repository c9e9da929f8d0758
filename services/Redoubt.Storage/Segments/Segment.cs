using System.Diagnostics;
using Google.Protobuf;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.LogFiles;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Peers;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <summary>
/// One copy of one protection group: its log, its page store, and what it promised. This part: opening, closing, saying how it is.
/// The rest: Append, Epochs, Apply, Read, FreeSpace, Bootstrap, FetchLog, Gossip, Repair, Rebuild, Upkeep, Horizon.
/// </summary>
/// <remarks>Locks: <c>_applyGate</c> before <c>_gate</c>. <c>_gate</c> guards the core, the segment file and sessions; epochs are persisted inside it,
/// so that no acknowledgement can slip between a grant's decision and its effect.</remarks>
internal sealed partial class Segment : ILogSink, IDisposable
{
    private readonly StorageOptions _options;
    private readonly ILogger _logger;
    private readonly StorageMetrics.SegmentCounters _metrics;
    private readonly PeerSet _peers;
    private readonly RocksCache _cache;
    private readonly string _folder;
    private readonly GroupRouter _router;
    private readonly PageHeat _heat;
    private readonly Action _kick;
    private readonly Action _hurry;
    private readonly Lock _gate = new();
    private readonly Lock _applyGate = new();
    private readonly SegmentCore _core;
    private readonly List<AppendSession> _sessions = [];
    private SegmentFile _file;
    private PageStore _store;
    private ApplyBatch _apply;
    private string? _logFailure;
    private string? _applyFailure;
    private string? _repairing;
    private bool _disposed;
    private bool _heardOfOthers;
    private long _sclMovedAt;

    /// <param name="options">The process's.</param>
    /// <param name="group">Which group's copy.</param>
    /// <param name="cache">Block cache shared by the process's stores.</param>
    /// <param name="metrics">Of the process.</param>
    /// <param name="peers">The other copies.</param>
    /// <param name="drills">Faults.</param>
    /// <param name="kick">Wakes the applying thread, which lets some log gather first.</param>
    /// <param name="hurry">The same when a read waits.</param>
    /// <param name="logger">Log.</param>
    /// <exception cref="LogFormatException">The folder is another volume's, damaged, or of a newer format.</exception>
    /// <exception cref="ConfigurationException">The configured shape is not the volume's.</exception>
    public Segment(StorageOptions options, int group, RocksCache cache, StorageMetrics metrics, PeerSet peers, DrillState drills, Action kick, Action hurry, ILogger logger)
    {
        long began = Stopwatch.GetTimestamp();
        _options = options;
        Group = group;
        _cache = cache;
        _metrics = metrics.Of(group);
        _peers = peers;
        Drills = drills;
        _kick = kick;
        _hurry = hurry;
        _logger = logger;
        _router = new GroupRouter(options.Shape.Groups);
        _heat = new PageHeat(options.CoalesceAfter);
        _folder = Path.Combine(options.DataDir, $"group-{group}");
        Directory.CreateDirectory(_folder);
        _file = SegmentFile.Read(_folder) ?? NewFile();
        RequireOwnVolume();
        Log = new SegmentLog(Path.Combine(_folder, "log"), options.LogFileBytes, this, _metrics);
        _core = new SegmentCore(ReadMarks);
        _core.Load(_file.EpochState, _file.BaseEnd, _file.BaseStart);
        _store = OpenStore();
        _apply = new ApplyBatch(_store, _router, group, options.PgVersion, _heat);
        foreach (var damage in Log.Open(options.ScrubBytesPerSecond > 0 ? options.StartReadBytes : long.MaxValue, RecoverFrame))
        {
            ReportDamage(damage);
        }

        _logger.SegmentOpened(group, new Lsn(_core.Chain.Scl), new Lsn(_apply.Applied), _core.Epochs.Epoch,
            (long)Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        _heardOfOthers = peers.All.Count == 0;
    }

    public int Group { get; }

    public SegmentLog Log { get; }

    public DrillState Drills { get; }

    /// <summary>Counters, for tests and metrics.</summary>
    public StorageMetrics.SegmentCounters Metrics => _metrics;

    /// <summary>Gap-free end of the log.</summary>
    public ulong Scl
    {
        get
        {
            lock (_gate)
            {
                return _core.Chain.Scl;
            }
        }
    }

    /// <summary>Epoch obeyed.</summary>
    public ulong Epoch
    {
        get
        {
            lock (_gate)
            {
                return _core.Epochs.Epoch;
            }
        }
    }

    /// <summary>The segment as others see it.</summary>
    public SegmentState State()
    {
        lock (_gate)
        {
            return StateLocked();
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        Log.Dispose();
        lock (_applyGate)
        {
            try
            {
                _store.Flush();
            }
            catch (RocksDbException e)
            {
                _logger.BackgroundFailed(Group, e.Message);
            }

            _apply.Dispose();
            _store.Dispose();
        }
    }

    private SegmentFile NewFile()
    {
        if (Directory.Exists(Path.Combine(_folder, "log")))
        {
            throw new LogFormatException(
                $"{_folder} has log files but no file '{SegmentFile.FileName}': what it promised is lost; delete the whole folder to rebuild this copy from its peers.");
        }

        var file = new SegmentFile { Volume = _options.Volume, Group = Group };
        file.Write(_folder);
        return file;
    }

    private void RequireOwnVolume()
    {
        if (_file.Volume != _options.Volume || _file.Group != Group)
        {
            throw new LogFormatException(
                $"{_folder} belongs to volume {_file.Volume} group {_file.Group}, not to {_options.Volume} group {Group}: use another REDOUBT_DATA_DIR.");
        }

        try
        {
            if (_file.HasShape)
            {
                _file.Fix((int)_options.PgVersion, _options.Shape);
            }
        }
        catch (ShapeMismatchException e)
        {
            throw new ConfigurationException(e.Message + "; these are fixed when a volume is made.");
        }
    }

    private PageStore OpenStore()
    {
        string current = $"pages-{_file.StoreGeneration}";
        foreach (string other in Directory.EnumerateDirectories(_folder, "pages-*").Where(d => Path.GetFileName(d) != current))
        {
            if (Path.GetFileName(other) != $"pages-{_file.StoreGeneration + 1}" || !IsRebuild(other))
            {
                Directory.Delete(other, recursive: true);
            }
        }

        try
        {
            return PageStore.Open(Path.Combine(_folder, current), _cache, WriteBufferBytes);
        }
        catch (StoreCorruptException e) when (IsCorruption(e) && (_peers.All.Count > 0 || _file.BaseEnd == 0))
        {
            // Pages are made anew from the log, or copied from a peer where the log begins later.
            _metrics.Corrupt();
            _logger.CorruptionFound(Group, "page store", e.Message);
            Persist(_file with { StoreGeneration = _file.StoreGeneration + 1 });
            return PageStore.Open(Path.Combine(_folder, $"pages-{_file.StoreGeneration}"), _cache, WriteBufferBytes);
        }
    }

    private static bool IsCorruption(Exception e) => e.Message.Contains("Corruption", StringComparison.Ordinal);

    /// <summary>RocksDB gave up on a file of its own: the store is copied anew from a peer, when there is one.</summary>
    private void SuspectStore(Exception e)
    {
        if (IsCorruption(e) && _peers.All.Count > 0 && !_storeDamaged)
        {
            _storeDamaged = true;
            _metrics.Corrupt();
            _logger.CorruptionFound(Group, "page store", e.Message);
            WakeGossip();
        }
    }

    private long WriteBufferBytes => Math.Max(4 << 20, (24 << 20) / _options.Shape.Groups);

    private void RecoverFrame(LogFrameBytes frame)
    {
        if (frame.Marks is { } marks)
        {
            _core.Recover(frame.Epoch, frame.From, marks, frame.At);
        }
        else if (!_core.Chain.TryOfferWhole(frame.Epoch, frame.From, frame.End, frame.At))
        {
            if (Log.Read(frame.At) is { } bytes)
            {
                _core.Recover(frame.Epoch, frame.From, PendingAppend.MarksOf(LogFrame.Parse(bytes)), frame.At);
            }
            else
            {
                ReportDamage(frame.At);
            }
        }
    }

    private EntryMark[] ReadMarks(LogAddress at)
    {
        byte[] bytes = Log.Read(at)
            ?? throw new ChainException($"group {Group}: the frame at file {at.File:x} offset {at.Offset} cannot be read back");
        return PendingAppend.MarksOf(LogFrame.Parse(bytes));
    }

    private void Persist(SegmentFile next)
    {
        next.Write(_folder);
        _file = next;
    }

    /// <summary>Under load a copy is behind the quorum for moments all the time; that is not worth telling.</summary>
    private bool IsBehindForLong() =>
        _core.IsBehind && (_core.GroupVdl > _core.Chain.Scl + (1 << 20) || Environment.TickCount64 - _sclMovedAt > 300);

    private SegmentState StateLocked()
    {
        var chain = _core.Chain;
        var state = new SegmentState
        {
            Segment = new SegmentId { Volume = _file.Volume, Group = (uint)Group },
            Epoch = _core.Epochs.Epoch,
            Scl = chain.Scl,
            Applied = _apply.Applied,
            Vdl = _core.Vdl,
            LogStart = chain.Base,
            RecordEnd = chain.RecordEnd,
            LastStart = chain.RecordStart,
            Joined = _file.Joined,
            PgVersion = (uint)_file.PgVersion,
            Copies = (uint)_file.Copies,
            WriteQuorum = (uint)_file.WriteQuorum,
            ReadQuorum = (uint)_file.ReadQuorum,
            Groups = (uint)_file.Groups,
            LogBytes = (ulong)Log.Bytes,
            PageStoreBytes = (ulong)_store.Bytes,
        };
        state.Truncations.AddRange(_core.Epochs.History.Points.Select(
            p => new Truncation { Epoch = p.Epoch, Above = p.Above, GroupEnd = p.GroupEnd }));
        (state.State, state.Message) = (_logFailure ?? _applyFailure, _repairing, _file.Joined) switch
        {
            ({ } failure, _, _) => ("failed", failure),
            (_, { } repair, _) => ("repairing", repair),
            (_, _, false) => ("repairing", JoiningMessage),
            _ when !_heardOfOthers => ("behind", "just started: has not heard how far the others are"),
            _ when IsBehindForLong() => ("behind", $"complete to {new Lsn(chain.Scl)}, the group's log reaches {new Lsn(Math.Max(_core.GroupVdl, chain.DurableEnd))}"),
            _ => ("complete", ""),
        };
        return state;
    }
}
