using System.Diagnostics;
using Redoubt.Cli.Bench.Usage;
using Redoubt.Cli.Local;

namespace Redoubt.Cli.Tests.Bench;

/// <summary>Processor time and context switches of real processes.</summary>
public sealed class UsageSnapshotTests
{
    private const string Burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
    private static readonly HashSet<int> Nobody = [];

    [Fact]
    public async Task Processor_time_of_children_that_came_and_went_is_counted()
    {
        // The shell burns nothing itself; a child in the middle does, and is waited for.
        using var shell = Shell($"read go; sh -c '{Burn}'; echo done; read go");
        var roots = Roots(shell);
        var before = UsageSnapshot.Take(roots, Nobody);
        await shell.StandardInput.WriteLineAsync("go");
        await shell.StandardOutput.ReadLineAsync();
        var used = UsageSnapshot.Between(before, UsageSnapshot.Take(roots, Nobody));
        Assert.InRange(used["shell"].CpuSeconds, 0.05, 60);
        Assert.True(used["shell"].Switches >= 1);
        End(shell);
    }

    [Fact]
    public async Task Of_a_child_that_ends_only_the_time_since_the_first_look_counts()
    {
        using var shell = Shell($"sh -c '{Burn}; echo burnt; read go'; echo done; read go");
        var roots = Roots(shell);
        await shell.StandardOutput.ReadLineAsync();
        var before = UsageSnapshot.Take(roots, Nobody);
        await shell.StandardInput.WriteLineAsync("go");
        await shell.StandardOutput.ReadLineAsync();
        var used = UsageSnapshot.Between(before, UsageSnapshot.Take(roots, Nobody));

        // What it burnt before is more than 50 ms; steps of 10 ms and its end remain.
        Assert.InRange(used["shell"].CpuSeconds, -0.02, 0.04);
        End(shell);
    }

    [Fact]
    public void Who_only_watches_does_not_count()
    {
        using var shell = Shell("read go");
        Assert.Equal([shell.Id], UsageSnapshot.Take(Roots(shell), Nobody).Pids["shell"]);
        Assert.Empty(UsageSnapshot.Take(Roots(shell), new HashSet<int> { shell.Id }).Pids);
        End(shell);
    }

    private static ProcessRoot[] Roots(Process shell) => [new(shell.Id, _ => "shell")];

    private static Process Shell(string script) => Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;

    private static void End(Process shell)
    {
        ProcessTree.Kill(shell.Id);
        shell.WaitForExit();
    }
}
