using System.Diagnostics;
using Prometheus;

namespace Redoubt.Compute.Shipping;

/// <summary>Where the time of a commit goes, per shipment: noticed → framed → sent → quorum → woken, as histograms in seconds.</summary>
public sealed class CommitTimings
{
    private static readonly double[] Buckets = Histogram.ExponentialBuckets(0.000_01, 1.6, 24);

    private readonly Histogram.Child _framed;
    private readonly Histogram.Child _sent;
    private readonly Histogram.Child _quorum;
    private readonly Histogram.Child _woken;
    private readonly Histogram.Child _total;
    private readonly Histogram _bytes;

    public CommitTimings(IMetricFactory metrics)
    {
        var stages = metrics.CreateHistogram(
            "redoubt_commit_stage_seconds",
            "Time of a shipment of log in each stage: framed (noticed in PostgreSQL's log to framed), sent (framed to handed to all streams), quorum (sent to durable on a write quorum), woken (letting the flushes that waited for it go on), total (noticed to durable).",
            new HistogramConfiguration { LabelNames = ["stage"], Buckets = Buckets });
        _framed = stages.WithLabels("framed");
        _sent = stages.WithLabels("sent");
        _quorum = stages.WithLabels("quorum");
        _woken = stages.WithLabels("woken");
        _total = stages.WithLabels("total");
        _bytes = metrics.CreateHistogram(
            "redoubt_shipment_bytes", "Size of shipments.", new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(256, 2, 16) });
    }

    public void Framed(Shipment shipment)
    {
        _bytes.Observe(shipment.Length);
        _framed.Observe(Seconds(shipment.ReceivedAt, shipment.FramedAt));
    }

    public void Sent(Shipment shipment) => _sent.Observe(Seconds(shipment.FramedAt, shipment.SentAt));

    public void AtQuorum(Shipment shipment, long now)
    {
        _quorum.Observe(Seconds(shipment.SentAt == 0 ? shipment.FramedAt : shipment.SentAt, now));
        _total.Observe(Seconds(shipment.ReceivedAt, now));
        Runtime.Tracing.Record("ship log", shipment.ReceivedAt, now, "redoubt.bytes", shipment.Length);
    }

    public void Woken(long startedAt) => _woken.Observe(Seconds(startedAt, Stopwatch.GetTimestamp()));

    private static double Seconds(long from, long to) => Math.Max(0, (to - from) / (double)Stopwatch.Frequency);
}
