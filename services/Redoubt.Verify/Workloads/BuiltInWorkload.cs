using System.Globalization;
using System.Reflection;

namespace Redoubt.Verify.Workloads;

/// <summary>
/// The workloads that come with the program: SQL files for what one session can bring about, sessions that meet each other for the rest.
/// Together they write every kind of record that stock PostgreSQL writes (<see cref="UnreachableKinds"/> says which it does not).
/// </summary>
public static class BuiltInWorkload
{
    /// <summary>Database that the workloads run in.</summary>
    public const string Database = "verify";

    private const string BulkDatabase = "verify_bulk";

    private static readonly string[] SideBySide = ["heap", "btree", "hash", "gin", "gist", "spgist", "brin", "generic"];

    /// <summary>Runs everything on a running server; the server is restarted, once as after a crash, on the way.</summary>
    /// <param name="server">The server.</param>
    /// <param name="settings">Its settings: it is started with them again.</param>
    /// <param name="scale">How much.</param>
    /// <param name="progress">Receives one line per step.</param>
    /// <param name="cancel">Stops between statements.</param>
    /// <exception cref="StockPostgresException">A file failed: the workloads are not fit for this server.</exception>
    public static async Task RunAsync(
        StockPostgres server, IReadOnlyDictionary<string, string> settings, WorkloadScale scale, Action<string>? progress, CancellationToken cancel)
    {
        string folder = server.MakeFolder("workloads");
        await server.ExecuteAsync($"CREATE DATABASE {Database}", cancel).ConfigureAwait(false);
        await FileAsync(server, folder, "setup", scale, progress, cancel).ConfigureAwait(false);
        // In a database of its own, so that its snapshots do not keep alive what the others need dead.
        await server.ExecuteAsync($"CREATE DATABASE {BulkDatabase}", cancel).ConfigureAwait(false);
        await server.ExecuteAsync($"ALTER DATABASE {BulkDatabase} SET wal_compression = '{scale.Compression}'", cancel).ConfigureAwait(false);
        await Task.WhenAll(
            FileAsync(server, folder, "bulk", scale, progress, cancel, BulkDatabase),
            FilesAsync(server, folder, SideBySide, scale, progress, cancel)).ConfigureAwait(false);

        progress?.Invoke("concurrent sessions");
        await ConcurrentWorkload.RunAsync(server, Database, scale, cancel).ConfigureAwait(false);
        await FilesAsync(server, folder, ["ddl", "xact"], scale, progress, cancel).ConfigureAwait(false);

        progress?.Invoke("restarts");
        var other = With(settings, "max_connections", "90");
        other.Remove("full_page_writes");
        await RestartAsync(server, other, fast: true, cancel).ConfigureAwait(false);
        foreach (string value in (string[])["off", "on", "off"])
        {
            await SetFullPageWritesAsync(server, value, cancel).ConfigureAwait(false);
        }

        await server.ExecuteAsync("ALTER SYSTEM RESET full_page_writes", cancel).ConfigureAwait(false);
        await server.ExecuteAsync("CREATE TABLE crashed (id int PRIMARY KEY); INSERT INTO crashed SELECT generate_series(1, 5000)", cancel, Database)
            .ConfigureAwait(false);
        await RestartAsync(server, settings, fast: false, cancel).ConfigureAwait(false);
        await FileAsync(server, folder, "wrap", scale, progress, cancel).ConfigureAwait(false);
        progress?.Invoke("freeze");
        await FreezeAsync(server, cancel).ConfigureAwait(false);
        await server.ExecuteAsync("BEGIN; UPDATE w SET v = 1 WHERE id < 9; SAVEPOINT a; INSERT INTO w VALUES (1000, 1); PREPARE TRANSACTION 'left_over'", cancel, Database)
            .ConfigureAwait(false);
    }

    /// <summary>A copy of settings with one more.</summary>
    public static Dictionary<string, string> With(IReadOnlyDictionary<string, string> settings, string name, string value) =>
        new(settings) { [name] = value };

    /// <summary>Freezes every database, so that commit-log, multixact and commit-timestamp files before now can go.</summary>
    private static async Task FreezeAsync(StockPostgres server, CancellationToken cancel)
    {
        await server.ExecuteAsync("ALTER DATABASE template0 ALLOW_CONNECTIONS true", cancel).ConfigureAwait(false);
        string databases = await server.ScalarAsync("SELECT string_agg(datname, ',' ORDER BY oid) FROM pg_database", cancel).ConfigureAwait(false) ?? "";
        foreach (string database in databases.Split(','))
        {
            await server.ExecuteAsync("VACUUM (FREEZE)", cancel, database).ConfigureAwait(false);
        }

        await server.ExecuteAsync("ALTER DATABASE template0 ALLOW_CONNECTIONS false", cancel).ConfigureAwait(false);
        await server.ExecuteAsync("CHECKPOINT", cancel).ConfigureAwait(false);
    }

    /// <summary>Changes a setting while the server runs; the checkpointer logs the change before its next checkpoint.</summary>
    private static async Task SetFullPageWritesAsync(StockPostgres server, string value, CancellationToken cancel)
    {
        await server.ExecuteAsync($"ALTER SYSTEM SET full_page_writes = '{value}'", cancel).ConfigureAwait(false);
        server.Reload();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        deadline.CancelAfter(TimeSpan.FromSeconds(30));
        while (await server.ScalarAsync("SHOW full_page_writes", deadline.Token).ConfigureAwait(false) != value)
        {
            await Task.Delay(20, deadline.Token).ConfigureAwait(false);
        }

        await server.ExecuteAsync("CHECKPOINT", cancel).ConfigureAwait(false);
    }

    private static async Task RestartAsync(
        StockPostgres server, IReadOnlyDictionary<string, string> settings, bool fast, CancellationToken cancel)
    {
        await server.StopAsync(fast, cancel).ConfigureAwait(false);
        await server.StartAsync(settings, cancel).ConfigureAwait(false);
    }

    private static async Task FilesAsync(
        StockPostgres server, string folder, string[] names, WorkloadScale scale, Action<string>? progress, CancellationToken cancel)
    {
        foreach (string name in names)
        {
            await FileAsync(server, folder, name, scale, progress, cancel).ConfigureAwait(false);
        }
    }

    private static async Task FileAsync(
        StockPostgres server, string folder, string name, WorkloadScale scale, Action<string>? progress, CancellationToken cancel,
        string database = Database)
    {
        progress?.Invoke(name);
        string path = Path.Combine(folder, name + ".sql");
        var resource = Assembly.GetExecutingAssembly().GetManifestResourceStream(name + ".sql")!;
        await using (resource.ConfigureAwait(false))
        {
            var file = File.Create(path);
            await using (file.ConfigureAwait(false))
            {
                await resource.CopyToAsync(file, cancel).ConfigureAwait(false);
            }
        }

        var variables = new Dictionary<string, string>
        {
            ["n"] = scale.Rows.ToString(CultureInfo.InvariantCulture),
            ["xids"] = scale.Xids.ToString(CultureInfo.InvariantCulture),
        };
        var script = new PsqlScript(path) { Variables = variables, StopOnError = true };
        var (status, errors) = await server.PsqlAsync(database, script, cancel).ConfigureAwait(false);
        if (status != 0)
        {
            string error = errors.Split('\n').FirstOrDefault(line => line.Contains("ERROR", StringComparison.Ordinal)) ?? errors.Trim();
            throw new StockPostgresException($"The built-in workload {name}.sql failed: {error}");
        }
    }
}
