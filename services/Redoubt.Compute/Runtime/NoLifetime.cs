namespace Redoubt.Compute.Runtime;

/// <summary>The web host takes no signals: the agent does, and stops PostgreSQL first.</summary>
internal sealed class NoLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
