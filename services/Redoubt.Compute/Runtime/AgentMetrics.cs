using System.Diagnostics;
using Prometheus;
using Redoubt.Compute.Pages;
using Redoubt.Compute.Shipping;

namespace Redoubt.Compute.Runtime;

/// <summary>All metrics of the agent.</summary>
public sealed class AgentMetrics
{
    private readonly Gauge _epoch;
    private readonly Gauge _vdl;
    private readonly Gauge _kept;
    private readonly Gauge _ready;
    private readonly Gauge _connected;
    private readonly Gauge _lag;
    private readonly Gauge _sent;
    private readonly Gauge _waiting;
    private readonly Gauge _waitingSeconds;

    public AgentMetrics(CollectorRegistry registry, AgentStatus status)
    {
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        Commit = new CommitTimings(factory);
        Pages = new PageMetrics(factory);
        Lives = factory.CreateCounter("redoubt_postgres_starts_total", "Times PostgreSQL was started from storage.");
        _epoch = factory.CreateGauge("redoubt_epoch", "Epoch of this writer.");
        _vdl = factory.CreateGauge("redoubt_vdl_bytes", "Volume durable LSN, as a byte position.");
        _kept = factory.CreateGauge("redoubt_log_window_bytes", "Log in memory that some segment has not acknowledged.");
        _ready = factory.CreateGauge("redoubt_ready", "1 when PostgreSQL accepts connections and commits can reach a write quorum.");
        _sent = factory.CreateGauge("redoubt_log_bytes_sent", "Bytes of log handed to segments, all copies together.");
        _waiting = factory.CreateGauge("redoubt_commits_waiting", "Commits in PostgreSQL's log that are not on a write quorum yet.");
        _waitingSeconds = factory.CreateGauge("redoubt_quorum_wait_seconds", "How long the oldest log that is not on a write quorum has been waiting for it.");
        _connected = factory.CreateGauge("redoubt_segment_connected", "1 while the log's stream to the segment is up.", "segment", "group");
        _lag = factory.CreateGauge("redoubt_segment_lag_bytes", "How far a segment's complete log is behind the VDL.", "segment", "group");
        registry.AddBeforeCollectCallback(() => Collect(status));
    }

    public CommitTimings Commit { get; }

    public PageMetrics Pages { get; }

    public Counter Lives { get; }

    private void Collect(AgentStatus status)
    {
        var writer = status.Writer;
        _epoch.Set(status.Epoch);
        _ready.Set(status.State == "ready" && writer?.HasWriteQuorum == true ? 1 : 0);
        var waiting = status.Gate?.Waiting ?? default;
        _waiting.Set(waiting.Commits);
        _waitingSeconds.Set(waiting.Since == 0 ? 0 : Stopwatch.GetElapsedTime(waiting.Since).TotalSeconds);
        _sent.Set(status.EarlierLogBytes + (writer?.Streams.Sum(g => g.Sum(s => s.BytesSent)) ?? 0));
        if (writer is null)
        {
            return;
        }

        _vdl.Set(writer.Vdl);
        _kept.Set(writer.KeptBytes);
        foreach (var stream in writer.Streams.SelectMany(g => g))
        {
            string group = stream.Segment.Group.ToString(System.Globalization.CultureInfo.InvariantCulture);
            ulong durable = writer.ReadPoint(stream.Segment.Group).CompleteAt;
            ulong scl = writer.Scl(stream.Segment.Group, stream.Segment.Copy);
            _connected.WithLabels(stream.Segment.Name, group).Set(stream.IsConnected ? 1 : 0);
            _lag.WithLabels(stream.Segment.Name, group).Set(scl < durable ? durable - scl : 0);
        }
    }
}
