namespace Redoubt.TestCluster.Api;

/// <summary>Ways in which an API server is away.</summary>
public enum Outage
{
    /// <summary>Connections are cut at once.</summary>
    Gone,

    /// <summary>Connections stay open, and nothing comes through them.</summary>
    HalfOpen,
}
