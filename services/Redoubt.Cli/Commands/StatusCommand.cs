using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Redoubt.Cli.Local;
using Spectre.Console;

namespace Redoubt.Cli.Commands;

/// <summary><c>./redoubt status</c>.</summary>
internal static class StatusCommand
{
    public static Command Create()
    {
        var name = ClusterOptions.Name();
        var dir = ClusterOptions.Dir();
        var output = ClusterOptions.Output();
        var watch = new Option<bool>("--watch") { Description = "Go on until Ctrl-C." };
        var command = new Command("status", "Says how a cluster is.\n\nExample: ./redoubt status -o json") { name, dir, output, watch };
        command.SetAction(async (parsed, cancellation) =>
        {
            var paths = ClusterOptions.Paths(parsed, name, dir);
            bool json = parsed.GetValue(output) == "json";
            var status = await ReadAsync(paths, cancellation);
            Print(status, json);
            while (parsed.GetValue(watch))
            {
                await Task.Delay(1000, cancellation);
                Print(await ReadAsync(paths, cancellation), json);
            }

            return 0;
        });
        return command;
    }

    /// <summary>Shows the status until cancelled: live on a terminal, a line at every change elsewhere.</summary>
    public static async Task FollowAsync(Func<Task<ClusterStatus>> read, CancellationToken cancellation)
    {
        if (AnsiConsole.Profile.Capabilities.Interactive)
        {
            await AnsiConsole.Live(Table(await read())).StartAsync(async live =>
            {
                while (true)
                {
                    await Task.Delay(1000, cancellation);
                    live.UpdateTarget(Table(await read()));
                }
            });
        }

        string? last = null;
        while (true)
        {
            var status = await read();
            string line = $"{status.Phase}{(status.Message is { } message ? $": {message}" : "")}";
            if (line != last)
            {
                Console.WriteLine(last = line);
            }

            await Task.Delay(500, cancellation);
        }
    }

    private static async Task<ClusterStatus> ReadAsync(ClusterPaths paths, CancellationToken cancellation)
    {
        if (await ControlClient.TryAskAsync(paths, new ControlRequest("status"), cancellation) is { Status: { } status })
        {
            return status;
        }

        var spec = ClusterSpec.Load(paths.Spec) ?? throw new CliException($"There is no cluster in {paths.Folder}; make one with ./redoubt up");
        return new ClusterStatus
        {
            Name = spec.Name, Phase = "Stopped", Postgres = spec.Postgres, Copies = spec.Copies, WriteQuorum = spec.WriteQuorum, ReadQuorum = spec.ReadQuorum, Groups = spec.Groups,
        };
    }

    private static void Print(ClusterStatus status, bool json)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(status, ClusterSpec.Json));
            return;
        }

        AnsiConsole.Write(Table(status));
    }

    private static Table Table(ClusterStatus status)
    {
        var table = new Table().RoundedBorder().Title(
            Markup.Escape($"{status.Name}: {status.Phase}, PostgreSQL {status.Postgres}, epoch {status.Epoch}, VDL {status.Vdl ?? "-"}, quorum {status.WriteQuorum} of {status.Copies}"));
        table.AddColumns("process", "zone", "pid", "state", "SCL", "applied", "restarts");
        foreach (var member in status.Processes)
        {
            string Each(Func<ClusterStatus.Segment, string> value) => member.Segments is { Count: > 0 } segments ? string.Join('\n', segments.Select(value)) : "";
            table.AddRow(
                Markup.Escape(member.Name),
                member.Zone ?? "",
                member.Pid?.ToString(CultureInfo.InvariantCulture) ?? "-",
                Markup.Escape(member.Message is { } message ? $"{member.State}: {message}" : member.State),
                Each(s => s.State == "complete" ? s.Scl : $"{s.Scl} ({s.State})"),
                Each(s => s.AppliedLsn),
                member.Restarts.ToString(CultureInfo.InvariantCulture));
        }

        if (status.Endpoints?.Primary is { } uri)
        {
            table.Caption(Markup.Escape(uri));
        }

        return table;
    }
}
