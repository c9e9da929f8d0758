using Prometheus;

namespace Redoubt.Storage;

/// <summary>All Prometheus metrics of a storage process, in a registry of its own.</summary>
public sealed class StorageMetrics
{
    private static readonly double[] LatencyBuckets =
        [.0001, .00025, .0005, .001, .002, .003, .005, .0075, .01, .02, .05, .1, .25, 1, 5];

    private readonly Counter _appendBytes;
    private readonly Counter _appendFrames;
    private readonly Histogram _fsync;
    private readonly Histogram _ack;
    private readonly Histogram _rotate;
    private readonly Histogram _read;
    private readonly Counter _pages;
    private readonly Counter _applied;
    private readonly Counter _coalesced;
    private readonly Counter _collected;
    private readonly Counter _corruptionFound;
    private readonly Counter _corruptionRepaired;
    private readonly Counter _gossipBytes;
    private readonly Counter _fenced;
    private readonly Gauge _scl;
    private readonly Gauge _appliedLsn;
    private readonly Gauge _vdl;
    private readonly Gauge _lag;
    private readonly Gauge _epoch;
    private readonly Gauge _logBytes;
    private readonly Counter _refused;
    private readonly Gauge _connections;

    public StorageMetrics()
    {
        Registry = Metrics.NewCustomRegistry();
        var factory = Metrics.WithCustomRegistry(Registry);
        string[] group = ["group"];
        _appendBytes = factory.CreateCounter("redoubt_storage_append_bytes_total", "Log bytes written and fsynced.", group);
        _appendFrames = factory.CreateCounter("redoubt_storage_append_frames_total", "Log frames acknowledged or kept.", group);
        _fsync = factory.CreateHistogram("redoubt_storage_fsync_seconds", "Duration of one fdatasync of the log.", group, Buckets());
        _ack = factory.CreateHistogram("redoubt_storage_ack_seconds", "From a frame's arrival to its acknowledgement.", group, Buckets());
        _rotate = factory.CreateHistogram("redoubt_storage_log_rotate_seconds", "Waiting for the next log file.", group, Buckets());
        _read = factory.CreateHistogram("redoubt_storage_get_pages_seconds", "Duration of one GetPages request.", group, Buckets());
        _pages = factory.CreateCounter("redoubt_storage_pages_served_total", "Pages served.", group);
        _applied = factory.CreateCounter("redoubt_storage_applied_bytes_total", "Log bytes applied to the page store.", group);
        _coalesced = factory.CreateCounter("redoubt_storage_pages_coalesced_total", "Chains of changes turned into images.", group);
        _collected = factory.CreateCounter("redoubt_storage_rows_collected_total", "Store rows removed below the horizon.", group);
        _corruptionFound = factory.CreateCounter("redoubt_storage_corruption_found_total", "Damaged log ranges and store rows found.", group);
        _corruptionRepaired = factory.CreateCounter("redoubt_storage_corruption_repaired_total", "Of those, repaired from peers.", group);
        _gossipBytes = factory.CreateCounter("redoubt_storage_gossip_bytes_total", "Log and page bytes fetched from peers.", group);
        _fenced = factory.CreateCounter("redoubt_storage_fenced_writers_total", "Streams and requests refused for their epoch.", group);
        _scl = factory.CreateGauge("redoubt_storage_scl_bytes", "Segment complete LSN.", group);
        _appliedLsn = factory.CreateGauge("redoubt_storage_applied_lsn_bytes", "Applied LSN.", group);
        _vdl = factory.CreateGauge("redoubt_storage_vdl_bytes", "Highest volume durable LSN heard of.", group);
        _lag = factory.CreateGauge("redoubt_storage_apply_lag_bytes", "Log between the applied LSN and what may be applied.", group);
        _epoch = factory.CreateGauge("redoubt_storage_epoch", "Epoch obeyed.", group);
        _logBytes = factory.CreateGauge("redoubt_storage_log_file_bytes", "Size of all log files.", group);
        _refused = factory.CreateCounter("redoubt_storage_connections_refused_total", "Connections that were closed before they were served.", "reason");
        _connections = factory.CreateGauge("redoubt_storage_connections", "Connections of peers that have said who they are.");
    }

    /// <summary>What <c>/metrics</c> exposes.</summary>
    public CollectorRegistry Registry { get; }

    /// <summary>The counters of one group's segment.</summary>
    public SegmentCounters Of(int group) => new(this, group.ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>A connection was closed before it was served.</summary>
    public void Refused(string reason) => _refused.WithLabels(reason).Inc();

    /// <summary>How many were, for a reason.</summary>
    public double RefusedFor(string reason) => _refused.WithLabels(reason).Value;

    /// <summary>Connections that are served now.</summary>
    public void Connections(int count) => _connections.Set(count);

    private static HistogramConfiguration Buckets() => new() { Buckets = LatencyBuckets };

    /// <summary>One segment's counters, label resolved once.</summary>
    public sealed class SegmentCounters(StorageMetrics m, string group)
    {
        private readonly Counter.Child _appendBytes = m._appendBytes.WithLabels(group);
        private readonly Counter.Child _appendFrames = m._appendFrames.WithLabels(group);
        private readonly Histogram.Child _fsync = m._fsync.WithLabels(group);
        private readonly Histogram.Child _ack = m._ack.WithLabels(group);
        private readonly Histogram.Child _rotate = m._rotate.WithLabels(group);
        private readonly Histogram.Child _read = m._read.WithLabels(group);
        private readonly Counter.Child _pages = m._pages.WithLabels(group);
        private readonly Counter.Child _applied = m._applied.WithLabels(group);
        private readonly Counter.Child _coalesced = m._coalesced.WithLabels(group);
        private readonly Counter.Child _collected = m._collected.WithLabels(group);
        private readonly Counter.Child _found = m._corruptionFound.WithLabels(group);
        private readonly Counter.Child _repaired = m._corruptionRepaired.WithLabels(group);
        private readonly Counter.Child _gossip = m._gossipBytes.WithLabels(group);
        private readonly Counter.Child _fenced = m._fenced.WithLabels(group);
        private readonly Gauge.Child _scl = m._scl.WithLabels(group);
        private readonly Gauge.Child _appliedLsn = m._appliedLsn.WithLabels(group);
        private readonly Gauge.Child _vdl = m._vdl.WithLabels(group);
        private readonly Gauge.Child _lag = m._lag.WithLabels(group);
        private readonly Gauge.Child _epoch = m._epoch.WithLabels(group);
        private readonly Gauge.Child _logBytes = m._logBytes.WithLabels(group);

        /// <summary>Damaged things found so far.</summary>
        public double CorruptionFound => _found.Value;

        /// <summary>Damaged things repaired so far.</summary>
        public double CorruptionRepaired => _repaired.Value;

        /// <summary>Rows removed below the horizon so far.</summary>
        public double RowsCollected => _collected.Value;

        public void Synced(TimeSpan took, int bytes)
        {
            _fsync.Observe(took.TotalSeconds);
            _appendBytes.Inc(bytes);
        }

        public void Rotated(TimeSpan took) => _rotate.Observe(took.TotalSeconds);

        public void Acked(TimeSpan took)
        {
            _ack.Observe(took.TotalSeconds);
            _appendFrames.Inc();
        }

        public void Read(TimeSpan took, int pages)
        {
            _read.Observe(took.TotalSeconds);
            _pages.Inc(pages);
        }

        public void Applied(long bytes) => _applied.Inc(bytes);

        public void Coalesced(int pages) => _coalesced.Inc(pages);

        public void Collected(long rows) => _collected.Inc(rows);

        public void Corrupt() => _found.Inc();

        public void Repaired() => _repaired.Inc();

        public void Gossiped(long bytes) => _gossip.Inc(bytes);

        public void Fenced() => _fenced.Inc();

        public void Positions(ulong epoch, ulong scl, ulong applied, ulong vdl, long logBytes)
        {
            _epoch.Set(epoch);
            _scl.Set(scl);
            _appliedLsn.Set(applied);
            _vdl.Set(vdl);
            ulong target = Math.Min(scl, vdl);
            _lag.Set(target > applied ? target - applied : 0);
            _logBytes.Set(logBytes);
        }
    }
}
