namespace Redoubt.Verify.Workloads;

/// <summary>
/// SQL files that users name, run by psql one after the other as PostgreSQL's own regression suite runs its files: errors in a file do not
/// stop it, a file that crashes its server or ends its session is followed by the next one, and what <c>pg_regress</c> gives its files
/// in the environment is there.
/// </summary>
/// <remarks>A file in a folder <c>sql</c> runs in the folder above it, any other in its own: relative paths in it start there.</remarks>
internal static class UserWorkload
{
    private const int ScriptError = 3;
    private const int ConnectionLost = 2;

    /// <summary>Runs all files in the database <see cref="BuiltInWorkload.Database"/>, which is made again when a file dropped it.</summary>
    /// <exception cref="StockPostgresException">psql could not read a file, or the server did not come back after a crash.</exception>
    public static async Task RunAsync(StockPostgres server, IReadOnlyList<string> files, Action<string> progress, CancellationToken cancel)
    {
        string build = server.MakeFolder("regress");
        _ = server.MakeFolder(Path.Combine("regress", "results"));
        foreach (string file in files)
        {
            string name = Path.GetFileName(file);
            progress(name);
            await EnsureDatabaseAsync(server, cancel).ConfigureAwait(false);
            var script = new PsqlScript(Path.GetFullPath(file)) { WorkingFolder = WorkingFolder(file), Environment = RegressEnvironment(server, file, build) };
            if (await RunFileAsync(server, script, cancel).ConfigureAwait(false) is not { } ended)
            {
                progress($"{name}: ended, for no session did anything for a minute");
            }
            else if (ended.Status == ConnectionLost)
            {
                progress($"{name}: {LastLine(ended.Errors)}");
                await server.WaitUntilReadyAsync(cancel).ConfigureAwait(false);
            }
            else if (ended.Status is not (0 or ScriptError))
            {
                throw new StockPostgresException($"psql could not run {file} (status {ended.Status}): {LastLine(ended.Errors)}");
            }
        }
    }

    /// <summary>psql's exit status and errors; null when it was ended because it was stuck.</summary>
    private static async Task<(int Status, string Errors)?> RunFileAsync(StockPostgres server, PsqlScript script, CancellationToken cancel)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var psql = server.PsqlAsync(BuiltInWorkload.Database, script, stop.Token);
        var stuck = StuckClient.WaitAsync(server, stop.Token);
        bool ended = await Task.WhenAny(psql, stuck).ConfigureAwait(false) == psql;
        await stop.CancelAsync().ConfigureAwait(false);
        await stuck.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (ended)
        {
            return await psql.ConfigureAwait(false);
        }

        await ((Task)psql).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancel.ThrowIfCancellationRequested();
        return null;
    }

    private static async Task EnsureDatabaseAsync(StockPostgres server, CancellationToken cancel)
    {
        const string exists = $"SELECT 1 FROM pg_catalog.pg_database WHERE datname = '{BuiltInWorkload.Database}'";
        if (await server.ScalarAsync(exists, cancel).ConfigureAwait(false) is not { Length: > 0 })
        {
            await server.ExecuteAsync($"CREATE DATABASE {BuiltInWorkload.Database} TEMPLATE template0", cancel).ConfigureAwait(false);
        }
    }

    private static string WorkingFolder(string file)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        return Path.GetFileName(folder) == "sql" ? Path.GetDirectoryName(folder)! : folder;
    }

    /// <summary>What <c>pg_regress</c> sets (test/regress/pg_regress.c); what the caller has set stays.</summary>
    private static Dictionary<string, string> RegressEnvironment(StockPostgres server, string file, string build)
    {
        var variables = new Dictionary<string, string>
        {
            ["PG_ABS_SRCDIR"] = WorkingFolder(file),
            ["PG_ABS_BUILDDIR"] = build,
            ["PG_LIBDIR"] = server.LibraryFolder,
            ["PG_DLSUFFIX"] = ".so",
            ["PGTZ"] = "PST8PDT",
            ["PGDATESTYLE"] = "Postgres, MDY",
            ["PGOPTIONS"] = "-c intervalstyle=postgres_verbose",
        };
        foreach (string name in variables.Keys.Where(name => System.Environment.GetEnvironmentVariable(name) is not null).ToList())
        {
            variables.Remove(name);
        }

        return variables;
    }

    private static string LastLine(string text) => text.Trim().Split('\n')[^1];
}
