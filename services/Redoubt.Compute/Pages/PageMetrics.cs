using Prometheus;

namespace Redoubt.Compute.Pages;

/// <summary>Counters of the page path.</summary>
public sealed class PageMetrics(IMetricFactory metrics)
{
    public Counter Pages { get; } = metrics.CreateCounter("redoubt_pages_served_total", "Pages given to PostgreSQL.");

    public Counter CacheHits { get; } = metrics.CreateCounter("redoubt_page_cache_hits_total", "Pages that had been prefetched.");

    public Counter Prefetched { get; } = metrics.CreateCounter("redoubt_pages_prefetched_total", "Pages fetched ahead.");

    public Counter Bytes { get; } = metrics.CreateCounter("redoubt_page_bytes_received_total", "Bytes of pages received from storage.");

    public Counter Hedges { get; } = metrics.CreateCounter("redoubt_page_hedges_total", "Requests that asked a second segment because the first was slow.");

    public Counter Retries { get; } = metrics.CreateCounter("redoubt_page_retries_total", "Rounds in which no segment could serve.");

    public Counter Refused { get; } = metrics.CreateCounter("redoubt_page_connections_refused_total", "Connections of PostgreSQL processes that could not be served.");

    public Histogram Seconds { get; } = metrics.CreateHistogram(
        "redoubt_page_request_seconds",
        "Time of a page request of pgshim.",
        new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.000_1, 2, 18) });
}
