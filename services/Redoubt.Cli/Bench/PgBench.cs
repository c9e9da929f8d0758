using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Bench;

/// <summary>PostgreSQL's own pgbench against one server.</summary>
internal sealed partial class PgBench
{
    private readonly string _program;
    private readonly Dictionary<string, string> _environment;

    /// <param name="connectionString">Npgsql's, to the database it works in.</param>
    /// <exception cref="CliException">pgbench is not installed.</exception>
    public PgBench(string connectionString)
    {
        _program = FindProgram() ?? throw new CliException("pgbench is not installed; install it: apt-get install postgresql-contrib (or postgresql-15 and later, which bring it along)");
        var parts = new NpgsqlConnectionStringBuilder(connectionString);
        _environment = new Dictionary<string, string>
        {
            ["PGHOST"] = parts.Host!, ["PGPORT"] = $"{parts.Port}", ["PGUSER"] = parts.Username!, ["PGDATABASE"] = parts.Database!,
        };
    }

    /// <summary>pgbench on PATH, or the newest that Debian keeps beside it; null when there is none.</summary>
    public static string? FindProgram() => Tool.Find("pgbench") ?? (Directory.Exists("/usr/lib/postgresql")
        ? Directory.GetFiles("/usr/lib/postgresql", "pgbench", SearchOption.AllDirectories).Order(StringComparer.Ordinal).LastOrDefault()
        : null);

    /// <summary>Makes and fills its tables: 100,000 accounts a scale. The rows come by COPY, which logs a page at a time; made by the server each would be a record.</summary>
    public Task InitializeAsync(int scale, CancellationToken cancellation) => RunAsync(["-i", "-q", "-I", "dtgvp", "-s", $"{scale}"], cancellation);

    /// <summary>Runs its TPC-B-like transactions.</summary>
    public async Task<Result> TransactionsAsync(int clients, int seconds, CancellationToken cancellation) => Parse(await RunAsync(Transactions(clients, seconds), cancellation));

    /// <summary>Starts its TPC-B-like transactions, to be watched while they run.</summary>
    public PgBenchRun Start(int clients, int seconds) => new(_program, [.. Transactions(clients, seconds), "-P", "1"], _environment);

    /// <summary>The figures it prints at its end.</summary>
    public static Result Parse(string output)
    {
        var tps = Tps().Match(output);
        var done = Done().Match(output);
        return tps.Success && done.Success
            ? new Result(double.Parse(tps.Groups[1].Value, CultureInfo.InvariantCulture), long.Parse(done.Groups[1].Value, CultureInfo.InvariantCulture))
            : throw new CliException($"pgbench printed no figures: {output.Trim()}");
    }

    private static string[] Transactions(int clients, int seconds) => ["-n", "-M", "prepared", "-c", $"{clients}", "-j", $"{Math.Min(clients, 2)}", "-T", $"{seconds}"];

    private async Task<string> RunAsync(string[] arguments, CancellationToken cancellation)
    {
        var run = await Tool.RunAsync(_program, arguments, environment: _environment, cancellation: cancellation);
        return run.ExitCode == 0 ? run.Output : throw new CliException($"pgbench failed: {run.LastLine}");
    }

    /// <summary>What a run did.</summary>
    internal readonly record struct Result(double Tps, long Transactions);

    [GeneratedRegex(@"tps = ([0-9.]+) \(without initial")]
    private static partial Regex Tps();

    [GeneratedRegex(@"transactions actually processed: (\d+)")]
    private static partial Regex Done();
}
