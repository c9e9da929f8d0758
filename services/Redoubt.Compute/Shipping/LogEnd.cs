namespace Redoubt.Compute.Shipping;

/// <summary>Why a <see cref="LogFollower"/> ended.</summary>
public enum LogEnd
{
    /// <summary>It was told to.</summary>
    Stopped,

    /// <summary>A newer writer exists.</summary>
    Fenced,

    /// <summary>PostgreSQL wrote a record that storage cannot redo, or bytes that are no log, or the log cannot be read.</summary>
    Broken,
}
