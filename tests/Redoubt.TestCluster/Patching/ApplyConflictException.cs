namespace Redoubt.TestCluster.Patching;

/// <summary>An apply without force over fields that other managers own with other values.</summary>
/// <param name="conflicts">(manager, readable field path) of each.</param>
public sealed class ApplyConflictException(IReadOnlyList<(string Manager, string Field)> conflicts)
    : Exception($"Apply failed with {conflicts.Count} conflict{(conflicts.Count == 1 ? "" : "s")}: " +
                string.Join(", ", conflicts.Select(c => $"conflict with \"{c.Manager}\": {c.Field}")))
{
    /// <summary>Each manager and the field that it owns.</summary>
    public IReadOnlyList<(string Manager, string Field)> Conflicts { get; } = conflicts;
}
