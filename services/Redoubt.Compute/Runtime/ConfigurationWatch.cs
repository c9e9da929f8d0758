using Redoubt.Compute.Configuration;

namespace Redoubt.Compute.Runtime;

/// <summary>
/// Notices new content of the parameters file and of pg_hba.conf, as a Kubernetes volume brings it, where nobody can send
/// <c>SIGHUP</c>. Looks every two seconds: such a volume swaps a symbolic link, which file notifications follow badly.
/// </summary>
public sealed class ConfigurationWatch(ComputeOptions options, AgentStatus status, Func<CancellationToken, Task> reload)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);
    private string _known = Read(options);

    // The postmaster takes new parameters a moment after it was told, so what waits for a restart is asked once more.
    private bool _again;

    /// <summary>Looks until cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Period);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
            {
                await LookAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ordered.
        }
    }

    /// <summary>Looks once, and reloads when the content is new and PostgreSQL runs (before that it reads the files itself).</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        string now = Read(options);
        if ((now != _known || _again) && status.State == "ready")
        {
            _again = now != _known;
            _known = now;
            await reload(cancellationToken).ConfigureAwait(false);
        }
    }

    private static string Read(ComputeOptions options) => One(options.ParametersFile) + '\0' + One(options.HbaFile);

    private static string One(string? path)
    {
        try
        {
            return path is null ? string.Empty : File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // In the middle of being swapped; the next look sees it.
            return string.Empty;
        }
    }
}
