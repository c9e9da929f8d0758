namespace Redoubt.TestCluster.Api;

/// <summary>Query parameters of a write.</summary>
/// <param name="Manager">fieldManager, or the first word of the user agent.</param>
public sealed record WriteOptions(string Manager)
{
    /// <summary>Check and answer, but store nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>Strict (unknown fields are refused; the default here, where a real server warns), Warn or Ignore (they are dropped).</summary>
    public string FieldValidation { get; init; } = "Strict";

    /// <summary>Apply takes fields from other managers.</summary>
    public bool Force { get; init; }
}
