namespace Redoubt.Compute.Runtime;

/// <summary>How one life of PostgreSQL ended.</summary>
public enum LifeEnd
{
    /// <summary>Stopped on request.</summary>
    Stopped,

    /// <summary>A newer writer has the volume.</summary>
    Fenced,

    /// <summary>PostgreSQL ended by itself.</summary>
    Died,

    /// <summary>PostgreSQL wrote log that cannot be stored, or the agent itself failed.</summary>
    Broken,

    /// <summary>Storage has not confirmed the epoch for too long.</summary>
    Isolated,
}
