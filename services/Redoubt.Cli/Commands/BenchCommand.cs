using System.CommandLine;
using Npgsql;
using Redoubt.Cli.Bench;
using Redoubt.Verify;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt bench</c>: each benchmark runs Redoubt and its comparator in one run.</summary>
internal static class BenchCommand
{
    private const int MostClients = 150;
    private const int MostMiB = 65_536;

    /// <summary>One benchmark: what every one takes is added here.</summary>
    private delegate Task<BenchReport> Run(BenchOptions options, ParseResult parsed, CancellationToken cancellation);

    public static Command Create() => new("bench", "Measures Redoubt beside stock PostgreSQL.\n\nExample: ./redoubt bench commit --seconds 20")
    {
        Traffic(), Commit(), Load(), BenchRedoCommand.Create(), Recovery(),
    };

    private static Command Traffic()
    {
        var (seconds, scale) = (Seconds(30), Scale(20));
        return Make("traffic", "Bytes a transaction sends, beside what a stock server writes to its volume.", "traffic --seconds 30", [seconds, scale], (options, parsed, cancellation) =>
            TrafficBench.RunAsync(options with { Seconds = parsed.GetValue(seconds), Scale = parsed.GetValue(scale) }, cancellation));
    }

    private static Command Commit()
    {
        var (seconds, scale) = (Seconds(20), Scale(100));
        var clients = NumbersOption.Create("--clients", "Numbers of clients.", MostClients, 1, 4, 16, 64);
        const string does = "Commits per second, beside a stock primary with as many durable copies; what a transaction costs each process; what bounds each row.";
        return Make("commit", does, "commit --seconds 20", [seconds, scale, clients], (options, parsed, cancellation) =>
            CommitBench.RunAsync(options with { Seconds = parsed.GetValue(seconds), Scale = parsed.GetValue(scale), Clients = parsed.GetValue(clients)! }, cancellation));
    }

    private static Command Load()
    {
        var mib = new Option<int>("--mb") { Description = "MiB of data.", DefaultValueFactory = _ => 2048 };
        Within(mib, MostMiB);
        const string does = "COPY and CREATE INDEX, beside a stock primary with as many durable copies; memory, and what other sessions wait meanwhile.";
        return Make("load", does, "load --mb 2048", [mib], (options, parsed, cancellation) => LoadBench.RunAsync(options with { MiB = [parsed.GetValue(mib)] }, cancellation));
    }

    private static Command Recovery()
    {
        var mib = NumbersOption.Create("--mb", "MiB of log since the last checkpoint.", MostMiB, 64, 256, 1024, 4096);
        var underLoad = new Option<bool>("--under-load") { Description = "The writers come back at once, and go on while the first commit is waited for." };
        return Make("recovery", "From SIGKILL to the first commit, beside stock crash recovery.", "recovery --mb 64,256", [mib, underLoad], (options, parsed, cancellation) =>
            RecoveryBench.RunAsync(options with { MiB = parsed.GetValue(mib)!, UnderLoad = parsed.GetValue(underLoad) }, cancellation));
    }

    private static Option<int> Seconds(int usual)
    {
        var seconds = new Option<int>("--seconds") { Description = "How long each measurement lasts.", DefaultValueFactory = _ => usual };
        Within(seconds, 3600);
        return seconds;
    }

    private static Option<int> Scale(int usual)
    {
        var scale = new Option<int>("--scale") { Description = "pgbench's: 100,000 accounts each.", DefaultValueFactory = _ => usual };
        Within(scale, 100_000);
        return scale;
    }

    private static void Within(Option<int> option, int most) => option.Validators.Add(result =>
    {
        if (result.GetValueOrDefault<int>() < 1 || result.GetValueOrDefault<int>() > most)
        {
            result.AddError($"{option.Name} takes 1 to {most}.");
        }
    });

    private static Command Make(string name, string does, string example, IReadOnlyList<Option> own, Run run)
    {
        var postgres = new Option<int>("--postgres") { Description = "Major version of both sides.", DefaultValueFactory = _ => 17 };
        var copies = new Option<int>("--copies") { Description = "Copies: 6, 3 or 1.", DefaultValueFactory = _ => 6 };
        var groups = new Option<int>("--groups") { Description = "Protection groups.", DefaultValueFactory = _ => 1 };
        var output = ClusterOptions.Output();
        var command = new Command(name, $"{does}\n\nExample: ./redoubt bench {example}");
        foreach (var option in (Option[])[.. own, postgres, copies, groups, output])
        {
            command.Add(option);
        }

        command.SetAction(async (parsed, cancellation) =>
        {
            bool json = parsed.GetValue(output) == "json";
            var options = new BenchOptions(
                parsed.GetValue(postgres), parsed.GetValue(copies), parsed.GetValue(groups), line => (json ? Console.Error : Console.Out).WriteLine(line));
            try
            {
                (await run(options, parsed, cancellation)).Print(json);
                return 0;
            }
            catch (Exception e) when (e is StockPostgresException or NpgsqlException)
            {
                throw new CliException($"A server failed the benchmark: {e.Message}");
            }
        });
        return command;
    }
}
