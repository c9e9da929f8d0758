namespace Redoubt.Compute.Postgres;

/// <summary>
/// PostgreSQL's single-user mode: SQL as superuser on a data directory on which no server runs. It asks nobody whether he may log in, or whether a
/// database allows connections.
/// </summary>
/// <param name="program">Runs it.</param>
public sealed class SingleUser(ServerProgram program)
{
    /// <summary>Runs commands, each ended by a semicolon and an empty line; the first error ends it.</summary>
    /// <param name="data">The data directory, cleanly shut down.</param>
    /// <param name="databases">Names tried in this order until one exists.</param>
    /// <param name="sql">The commands.</param>
    /// <param name="environment">Variables for it, such as those of the shim.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <exception cref="PostgresException">A command fails, or none of the databases exists; the message has PostgreSQL's words.</exception>
    public async Task RunAsync(
        string data, IEnumerable<string> databases, string sql, IReadOnlyDictionary<string, string> environment, CancellationToken cancellationToken)
    {
        string said = "no database is known";
        foreach (string database in databases)
        {
            string[] arguments =
            [
                "--single", "-j", "-D", data, "-c", "exit_on_error=on", "-c", "log_line_prefix=", "-c", "log_min_messages=warning",
                .. SessionSettings.ForSingleUser(), database,
            ];
            var (status, error, _) = await program.RunAsync("postgres", arguments, sql, environment, cancellationToken).ConfigureAwait(false);
            if (status == 0)
            {
                return;
            }

            said = ServerWords.LastError(error) ?? $"postgres --single ended with status {status}";
            if (!said.Contains(" does not exist", StringComparison.Ordinal))
            {
                break;
            }
        }

        throw new PostgresException($"PostgreSQL in single-user mode: {said}");
    }
}
