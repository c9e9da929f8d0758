namespace Redoubt.Cli.Local;

/// <summary>Processes, with all below them, that stand still until this is disposed.</summary>
public sealed class PausedProcesses(IEnumerable<int> roots) : IDisposable
{
    private readonly List<int> _stopped = [.. roots.Where(r => r > 0).SelectMany(ProcessTree.Pause)];

    /// <inheritdoc/>
    public void Dispose() => _stopped.ForEach(ProcessTree.Resume);
}
