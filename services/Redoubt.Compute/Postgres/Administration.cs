using Npgsql;
using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// The agent's own SQL in one life of PostgreSQL: passwords before anybody else gets in, and reloads. What fails is told in the status and tried again;
/// it ends nothing.
/// </summary>
/// <param name="accounts">Passwords.</param>
/// <param name="login">The way in.</param>
/// <param name="files">Writes the configuration.</param>
/// <param name="directory">Where the configuration goes.</param>
/// <param name="settings">What is in force.</param>
/// <param name="status">Where it is told.</param>
/// <param name="logger">Where it is logged.</param>
public sealed class Administration(
    Accounts accounts, AgentLogin login, ServerFiles files, DataDirectory directory, ServerSettings settings, AgentStatus status, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(2);
    private readonly SemaphoreSlim _oneAtATime = new(1);
    private NpgsqlConnection? _early;

    /// <summary>True when passwords are configured: until they are in force only the agent gets in.</summary>
    public bool ComesFirst => accounts.AreConfigured;

    /// <summary>Logs in before anybody else; for <see cref="LetInAsync"/>.</summary>
    /// <exception cref="LockedOutException">PostgreSQL lets no superuser in.</exception>
    public async Task EnterAsync(PostgresServer server, CancellationToken cancellationToken) =>
        _early ??= await RetryAsync(server, () => login.OpenAsync(cancellationToken), e => e is not LockedOutException, cancellationToken).ConfigureAwait(false);

    /// <summary>Puts the passwords in force, then opens the server to everybody. Returns early when the server ends.</summary>
    public async Task LetInAsync(PostgresServer server, CancellationToken cancellationToken)
    {
        await RetryAsync(
            server,
            async () =>
            {
                var connection = _early ??= await login.OpenAsync(cancellationToken).ConfigureAwait(false);
                try
                {
                    string problem = await accounts.ApplyAsync(connection, cancellationToken).ConfigureAwait(false);
                    files.WriteConfiguration(directory, settings, isOpen: true);
                    await ReloadAndWaitAsync(server, connection, cancellationToken).ConfigureAwait(false);
                    status.AdministrationProblem = problem;
                    return true;
                }
                finally
                {
                    _early = null;
                    await connection.DisposeAsync().ConfigureAwait(false);
                }
            },
            _ => true,
            cancellationToken).ConfigureAwait(false);
        if (status.AdministrationProblem.Length > 0)
        {
            logger.AdministrationFailed(status.AdministrationProblem);
        }
    }

    /// <summary>Takes changed files: parameters and pg_hba.conf when PostgreSQL takes all of them, then passwords.</summary>
    /// <returns>False when it must be tried again; why is in the status.</returns>
    public async Task<bool> ReloadAsync(PostgresServer server, CancellationToken cancellationToken)
    {
        await _oneAtATime.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await using var connection = await login.OpenAsync(cancellationToken).ConfigureAwait(false);
            bool taken = await settings.ChangeAsync(() => HbaComplaintAsync(connection, cancellationToken), cancellationToken).ConfigureAwait(false);
            files.WriteConfiguration(directory, settings, isOpen: true);
            if (taken)
            {
                await ReloadAndWaitAsync(server, connection, cancellationToken).ConfigureAwait(false);
                status.PendingRestart = await PendingRestartAsync(connection, cancellationToken).ConfigureAwait(false);
                logger.Reloaded(status.PendingRestart.Count == 0 ? "none" : string.Join(", ", status.PendingRestart));
            }

            status.AdministrationProblem = accounts.AreConfigured ? await accounts.ApplyAsync(connection, cancellationToken).ConfigureAwait(false) : "";
        }
        catch (Exception e) when (IsFailure(e) && !server.Exited.IsCompleted)
        {
            status.AdministrationProblem = $"The configuration is not in force yet: {e.Message}";
        }
        finally
        {
            _oneAtATime.Release();
        }

        if (status.AdministrationProblem.Length > 0)
        {
            logger.AdministrationFailed(status.AdministrationProblem);
        }

        return status.AdministrationProblem.Length == 0;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_early is not null)
        {
            await _early.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>What can go wrong with a server, a socket or a file, and be right later.</summary>
    private static bool IsFailure(Exception e) =>
        e is NpgsqlException or IOException or UnauthorizedAccessException or TimeoutException or System.Net.Sockets.SocketException or LockedOutException
            or PostgresException or Pages.PageUnavailableException;

    /// <summary>Makes the postmaster read its files, and waits until it has: whoever connects from now on finds them in force.</summary>
    /// <remarks>The postmaster tells its children to read the files after it has begun to read them itself, and takes no connection before it is done.</remarks>
    private static async Task ReloadAndWaitAsync(PostgresServer server, NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("SELECT pg_catalog.pg_conf_load_time()::text", connection);
        object? before = await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
        server.Reload();
        while (!server.Exited.IsCompleted && Equals(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false), before))
        {
            await Task.Delay(LookPause, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<IReadOnlyList<string>> PendingRestartAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var pending = new List<string>();
        await using var ask = new NpgsqlCommand(
            "SELECT DISTINCT f.name FROM pg_catalog.pg_file_settings f JOIN pg_catalog.pg_settings s ON s.name = pg_catalog.lower(f.name) "
            + "WHERE f.error IS NOT NULL AND NOT f.applied AND s.context = 'postmaster' ORDER BY 1",
            connection);
        await using var reader = await ask.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        while (await reader.ReadAsync(cancellationToken).ConfigureAwait(false))
        {
            pending.Add(reader.GetString(0));
        }

        return pending;
    }

    /// <summary>Writes the files that would be in force and asks what PostgreSQL has against pg_hba.conf, before the postmaster reads it.</summary>
    private async Task<RejectedParameter?> HbaComplaintAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        files.WriteConfiguration(directory, settings, isOpen: true);
        await using var ask = new NpgsqlCommand("SELECT error FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL ORDER BY line_number LIMIT 1", connection);
        return await ask.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false) is string error ? new RejectedParameter("pg_hba.conf", "", error) : null;
    }

    /// <summary>Tries until it succeeds or the server ends, then with the default.</summary>
    private async Task<T?> RetryAsync<T>(PostgresServer server, Func<Task<T>> attempt, Func<Exception, bool> mayPass, CancellationToken cancellationToken)
    {
        for (var pause = FirstPause; !server.Exited.IsCompleted; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            try
            {
                return await attempt().ConfigureAwait(false);
            }
            catch (Exception e) when (IsFailure(e) && mayPass(e))
            {
                await Task.WhenAny(server.Exited, Task.Delay(pause, cancellationToken)).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                if (!server.Exited.IsCompleted)
                {
                    status.AdministrationProblem = $"Passwords are not set yet, and nobody is let in before: {e.Message}";
                    status.Set("recovering", status.AdministrationProblem);
                    logger.AdministrationFailed(status.AdministrationProblem);
                }
            }
        }

        return default;
    }
}
