using System.CommandLine;
using Redoubt.Cli.Bench;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt bench</c>: each benchmark runs Redoubt and its comparator in one run.</summary>
internal static class BenchCommand
{
    public static Command Create() => new("bench", "Measures Redoubt beside stock PostgreSQL.\n\nExample: ./redoubt bench commit --seconds 20")
    {
        Make("traffic", "Bytes a transaction sends, beside what a stock server writes to its volume.", "traffic --seconds 30", 30, TrafficBench.RunAsync),
        Make("commit", "Commits per second, beside a stock primary with as many durable copies.", "commit --seconds 20", 20, CommitBench.RunAsync),
        BenchRedoCommand.Create(),
        Make("recovery", "From SIGKILL to the first commit, beside stock crash recovery.", "recovery", 0, RecoveryBench.RunAsync),
    };

    private static Command Make(string name, string does, string example, int defaultSeconds, Func<BenchOptions, CancellationToken, Task<BenchReport>> run)
    {
        var seconds = new Option<int>("--seconds") { Description = "How long each measurement lasts.", DefaultValueFactory = _ => defaultSeconds };
        var scale = new Option<int>("--scale") { Description = "pgbench's scale.", DefaultValueFactory = _ => 20 };
        var postgres = new Option<int>("--postgres") { Description = "Major version of both sides.", DefaultValueFactory = _ => 17 };
        var copies = new Option<int>("--copies") { Description = "Copies: 6, 3 or 1.", DefaultValueFactory = _ => 6 };
        var groups = new Option<int>("--groups") { Description = "Protection groups.", DefaultValueFactory = _ => 1 };
        var log = new Option<int>("--log") { Description = "MiB of log since the last checkpoint, at most.", DefaultValueFactory = _ => 1024 };
        var output = ClusterOptions.Output();
        var command = new Command(name, $"{does}\n\nExample: ./redoubt bench {example}") { scale, postgres, copies, groups, output };
        if (defaultSeconds > 0)
        {
            seconds.Validators.Add(result =>
            {
                if (result.GetValueOrDefault<int>() is < 1 or > 3600)
                {
                    result.AddError("--seconds takes 1 to 3600.");
                }
            });
            command.Add(seconds);
        }
        else
        {
            command.Add(log);
        }

        command.SetAction(async (parsed, cancellation) =>
        {
            bool json = parsed.GetValue(output) == "json";
            var options = new BenchOptions(
                defaultSeconds > 0 ? parsed.GetValue(seconds) : 0, parsed.GetValue(scale), parsed.GetValue(postgres), parsed.GetValue(copies), parsed.GetValue(groups),
                defaultSeconds > 0 ? 0 : parsed.GetValue(log),
                line => (json ? Console.Error : Console.Out).WriteLine(line));
            (await run(options, cancellation)).Print(json);
            return 0;
        });
        return command;
    }
}
