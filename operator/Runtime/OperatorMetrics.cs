using Prometheus;

namespace Redoubt.Operator.Runtime;

/// <summary>What the operator tells about itself on <c>/metrics</c>.</summary>
public sealed class OperatorMetrics
{
    public OperatorMetrics(CollectorRegistry registry)
    {
        var factory = Metrics.WithCustomRegistry(registry);
        ApiRequests = factory.CreateCounter("redoubt_operator_api_requests_total", "Requests to the Kubernetes API by verb.", "verb");
        Reconciles = factory.CreateCounter("redoubt_operator_reconciles_total", "Reconciliations by result.", "result");
        ReconcileSeconds = factory.CreateHistogram("redoubt_operator_reconcile_seconds", "Duration of a reconciliation in seconds.",
            new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.001, 2, 14) });
        QueueLength = factory.CreateGauge("redoubt_operator_queue_length", "Clusters that wait to be reconciled.");
        Relists = factory.CreateCounter("redoubt_operator_relists_total", "Full lists that informers made, by kind.", "kind");
        Clusters = factory.CreateGauge("redoubt_operator_clusters", "DatabaseClusters that the operator knows.");
        ClusterReady = factory.CreateGauge("redoubt_cluster_ready", "1 when the condition Ready is True.", "namespace", "name");
        ClusterSegments = factory.CreateGauge("redoubt_cluster_segments", "Segments of a cluster by state.", "namespace", "name", "state");
        Leader = factory.CreateGauge("redoubt_operator_leader", "1 while this process leads.");
    }

    public Counter ApiRequests { get; }
    public Counter Reconciles { get; }
    public Histogram ReconcileSeconds { get; }
    public Gauge QueueLength { get; }
    public Counter Relists { get; }
    public Gauge Clusters { get; }
    public Gauge ClusterReady { get; }
    public Gauge ClusterSegments { get; }
    public Gauge Leader { get; }
}
