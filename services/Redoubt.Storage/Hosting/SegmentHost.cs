using Redoubt.Protocol.V1;
using Redoubt.Storage.LogFiles;
using Redoubt.Storage.Peers;
using Redoubt.Storage.Rocks;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>All segments of one process, and their background work: one applying thread, one for upkeep and scrub, gossip.</summary>
internal sealed class SegmentHost : IDisposable
{
    private static readonly TimeSpan GatherFor = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan UpkeepEvery = TimeSpan.FromSeconds(1);
    private const int BackgroundNice = 10;
    private const ulong GatherBytes = 1 << 20;
    private readonly StorageOptions _options;
    private readonly ILogger _logger;
    private readonly FileStream _lockFile;
    private readonly PeerSet _peers;
    private readonly RocksCache _cache;
    private readonly CancellationTokenSource _stopping = new();
    private readonly AutoResetEvent _work = new(false);
    private readonly AutoResetEvent _awaited = new(false);
    private readonly List<Task> _tasks = [];
    private readonly Thread _applier;
    private readonly Thread _upkeep;

    /// <exception cref="LogFormatException">The data directory is in use, foreign, damaged or of a newer format.</exception>
    public SegmentHost(StorageOptions options, StorageMetrics metrics, DrillState drills, ILogger logger)
    {
        _options = options;
        _logger = logger;
        Drills = drills;
        Directory.CreateDirectory(options.DataDir);
        _lockFile = Lock(options.DataDir);
        _peers = new PeerSet(options, drills);
        RocksThreads.Start(BackgroundNice);
        _cache = new RocksCache(options.BlockCacheBytes);
        try
        {
            for (int group = 0; group < options.Shape.Groups; group++)
            {
                Segments.Add(new Segment(options, group, _cache, metrics, _peers, drills, Kick, Hurry, logger));
            }
        }
        catch
        {
            Segments.ForEach(s => s.Dispose());
            _cache.Dispose();
            _peers.Dispose();
            _lockFile.Dispose();
            throw;
        }

        _applier = new Thread(() => KeepRunning("apply", Apply)) { Name = "apply", IsBackground = true };
        _upkeep = new Thread(() => KeepRunning("upkeep", Upkeep)) { Name = "upkeep", IsBackground = true };
    }

    public DrillState Drills { get; }

    public List<Segment> Segments { get; } = [];

    public string Name => _options.Name;

    public string Zone => _options.Zone;

    public int Index => _options.Index;

    /// <summary>Starts background work.</summary>
    public void Start()
    {
        _applier.Start();
        foreach (var segment in Segments)
        {
            _tasks.Add(Task.Run(() => segment.RunGossipAsync(_stopping.Token)));
        }

        _upkeep.Start();
    }

    /// <summary>The segment that a request names.</summary>
    /// <exception cref="UnknownSegmentException">Another volume's, or a group that this volume does not have.</exception>
    public Segment Find(SegmentId? id)
    {
        if (id is null || id.Volume != _options.Volume || id.Group >= (uint)Segments.Count)
        {
            throw new UnknownSegmentException(
                $"{_options.Name} holds volume {_options.Volume}, groups 0 to {Segments.Count - 1}; asked for volume '{id?.Volume}' group {id?.Group}");
        }

        return Segments[(int)id.Group];
    }

    /// <summary>Breaks all writers' streams.</summary>
    public void DropStreams() => Segments.ForEach(s => s.DropSessions());

    public void Dispose()
    {
        _stopping.Cancel();
        Hurry();
        try
        {
            Task.WaitAll([.. _tasks], TimeSpan.FromSeconds(10));
        }
        catch (AggregateException)
        {
            // Cancelled work.
        }

        foreach (var thread in new[] { _applier, _upkeep })
        {
            if (thread.IsAlive)
            {
                thread.Join();
            }
        }

        Segments.ForEach(s => s.Dispose());
        _cache.Dispose();
        _peers.Dispose();
        _lockFile.Dispose();
    }

    private static FileStream Lock(string folder)
    {
        try
        {
            return new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new LogFormatException($"data directory {folder} is in use by another process ({e.Message}); stop that one or use another REDOUBT_DATA_DIR.");
        }
    }

    /// <summary>There is log to apply.</summary>
    private void Kick() => _work.Set();

    /// <summary>A read waits for it.</summary>
    private void Hurry()
    {
        _awaited.Set();
        _work.Set();
    }

    /// <summary>Work that everything depends on does not end because a turn of it failed: that is said, and a second later it goes on.</summary>
    private void KeepRunning(string name, Action work)
    {
        do
        {
            try
            {
                work();
            }
            catch (Exception e)
            {
                _logger.ThreadFailed(name, e);
            }
        }
        while (!_stopping.Token.WaitHandle.WaitOne(UpkeepEvery));
    }

    private void Apply()
    {
        NativeIo.SetThreadNice(BackgroundNice);
        while (!_stopping.IsCancellationRequested)
        {
            if (_work.WaitOne(1000) && !_stopping.IsCancellationRequested && Segments.All(s => s.ApplyLag < GatherBytes && !s.IsApplyAwaited))
            {
                // A little log at a time costs as much as a lot: let it gather, unless a read waits.
                _awaited.WaitOne(GatherFor);
            }

            bool more = true;
            while (more && !_stopping.IsCancellationRequested)
            {
                more = false;
                foreach (var segment in Segments)
                {
                    more |= segment.ApplySome();
                }

                foreach (var segment in Segments)
                {
                    if (!more || segment.HotPages > 1000)
                    {
                        more |= segment.CoalesceSome(16) && !Segments.Any(s => s.IsApplyAwaited);
                    }

                    if (!more)
                    {
                        more = segment.RefreshFreeSpaceSafely() && !Segments.Any(s => s.IsApplyAwaited);
                    }
                }
            }
        }
    }

    /// <summary>Behind everything else, as <see cref="Apply"/> is: a writer never waits for it.</summary>
    private void Upkeep()
    {
        NativeIo.SetThreadNice(BackgroundNice);
        while (!_stopping.Token.WaitHandle.WaitOne(UpkeepEvery))
        {
            foreach (var segment in Segments)
            {
                segment.Log.PretendFull = Drills.Full;
                segment.UpkeepSafely();
                segment.ScrubSafely();
            }
        }
    }
}
