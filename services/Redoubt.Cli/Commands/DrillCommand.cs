using System.CommandLine;
using Redoubt.Cli.Local;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt drill</c>: faults on purpose.</summary>
internal static class DrillCommand
{
    public static Command Create()
    {
        var drill = new Command("drill", "Breaks something on purpose. TARGET is compute, storage-N or zone-a.\n\nExample: ./redoubt drill kill storage-2");
        Add(drill, "kill", "SIGKILL of the whole process tree; the supervisor starts it again.", "drill kill compute");
        Add(drill, "stop", "SIGKILL, and it stays down until drill start.", "drill stop zone-a");
        Add(drill, "start", "Starts what drill stop stopped.", "drill start zone-a");
        Add(drill, "wipe", "SIGKILL, and its disk is deleted.", "drill wipe compute");
        Add(drill, "corrupt", "Flips bits in a segment log.", "drill corrupt storage-0 --bytes 64", Within(1, 1 << 20, new Option<long>("--bytes") { Description = "How many bytes.", DefaultValueFactory = _ => 16 }));
        Add(drill, "partition", "Cuts it off from all others.", "drill partition storage-1");
        Add(drill, "heal", "Ends partition, slow and fill.", "drill heal storage-1");
        Add(drill, "slow", "Makes its answers late.", "drill slow storage-1 --ms 200", Within(0, 60_000, new Option<long>("--ms") { Description = "Milliseconds, up to 60000.", Required = true }));
        Add(drill, "fill", "Makes its disk full.", "drill fill storage-1");
        return drill;
    }

    private static Option<long> Within(long least, long most, Option<long> option)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && long.TryParse(result.Tokens[0].Value, out long value) && (value < least || value > most))
            {
                result.AddError($"{option.Name} {value} is not possible; use {least} to {most}.");
            }
        });
        return option;
    }

    private static void Add(Command drill, string kind, string does, string example, Option<long>? amount = null)
    {
        var name = ClusterOptions.Name();
        var dir = ClusterOptions.Dir();
        var target = new Argument<string>("TARGET") { Description = "compute, storage-N or zone-a." };
        var command = new Command(kind, $"{does}\n\nExample: ./redoubt {example}") { target, name, dir };
        if (amount is not null)
        {
            command.Add(amount);
        }

        command.SetAction(async (parsed, cancellation) =>
        {
            var request = new ControlRequest(kind, parsed.GetValue(target), amount is null ? 0 : parsed.GetValue(amount));
            Console.WriteLine((await ControlClient.AskAsync(ClusterOptions.Paths(parsed, name, dir), request, cancellation)).Done);
            return 0;
        });
        drill.Add(command);
    }
}
