using Redoubt.Compute.Configuration;

namespace Redoubt.Compute.Runtime;

/// <summary>
/// Notices new content of the parameters file, of pg_hba.conf and of the password files, as a Kubernetes volume brings it, where nobody can send
/// <c>SIGHUP</c>. Looks every two seconds: such a volume swaps a symbolic link, which file notifications follow badly.
/// </summary>
/// <param name="options">Names the files.</param>
/// <param name="status">Says whether PostgreSQL runs.</param>
/// <param name="reload">Takes what is new; false when it must be tried again.</param>
public sealed class ConfigurationWatch(ComputeOptions options, AgentStatus status, Func<CancellationToken, Task<bool>> reload)
{
    private const int LongestWait = 16; // looks
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(2);
    private string _known = Read(options);
    private int _wait;
    private int _left;

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

    /// <summary>
    /// Looks once, and reloads when the content is new and PostgreSQL runs (before that it reads the files itself). A reload that failed is repeated: after
    /// one look, two, four and so on.
    /// </summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        string now = Read(options);
        bool isNew = now != _known;
        if (status.State != "ready" || (!isNew && (_wait == 0 || --_left > 0)))
        {
            return;
        }

        _known = now;
        _wait = await reload(cancellationToken).ConfigureAwait(false) ? 0 : isNew || _wait == 0 ? 1 : Math.Min(2 * _wait, LongestWait);
        _left = _wait;
    }

    private static string Read(ComputeOptions options) => string.Join(
        '\0', new[] { options.ParametersFile, options.HbaFile, options.SuperuserPasswordFile, options.AppPasswordFile }.Select(One));

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
