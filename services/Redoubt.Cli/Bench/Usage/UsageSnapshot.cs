using System.Globalization;

namespace Redoubt.Cli.Bench.Usage;

/// <summary>
/// Processor time and context switches of trees of processes at one moment. The difference of two counts processes that started or ended between
/// them too: the processor time of those that ended is their parent's to tell.
/// </summary>
internal sealed class UsageSnapshot
{
    private readonly Dictionary<(int Pid, long Start), Entry> _entries = [];

    private sealed record Entry(string Role, int Parent, double Cpu, double ChildrenCpu, Dictionary<int, long> Switches);

    /// <summary>The processes of each role.</summary>
    public ILookup<string, int> Pids => _entries.ToLookup(e => e.Value.Role, e => e.Key.Pid);

    /// <summary>Looks at all trees.</summary>
    /// <param name="roots">The trees.</param>
    /// <param name="except">Processes that only watch.</param>
    public static UsageSnapshot Take(IReadOnlyList<ProcessRoot> roots, IReadOnlySet<int> except)
    {
        var snapshot = new UsageSnapshot();
        var all = ProcStat.All();
        var children = all.ToLookup(p => p.Parent);
        foreach (var root in roots)
        {
            var left = new Stack<ProcStat>(all.Where(p => p.Pid == root.Pid));
            while (left.TryPop(out var process))
            {
                foreach (var child in children[process.Pid])
                {
                    left.Push(child);
                }

                if (!except.Contains(process.Pid))
                {
                    snapshot.Add(process, root.Role(ProcFile.TryRead($"/proc/{process.Pid}/cmdline") ?? ""));
                }
            }
        }

        return snapshot;
    }

    /// <summary>What each role used between two moments.</summary>
    public static Dictionary<string, RoleUsage> Between(UsageSnapshot before, UsageSnapshot after)
    {
        var used = new Dictionary<string, RoleUsage>();
        void Count(string role, double cpu, double switches) => used[role] = used.GetValueOrDefault(role) + new RoleUsage(cpu, switches);
        foreach (var (process, now) in after._entries)
        {
            var then = before._entries.GetValueOrDefault(process);
            double switches = now.Switches.Sum(thread => (double)(thread.Value - (then?.Switches.GetValueOrDefault(thread.Key) ?? 0)));
            Count(now.Role, now.Cpu + now.ChildrenCpu - (then is null ? 0 : then.Cpu + then.ChildrenCpu), switches);
        }

        // Who ended meanwhile is in its parent's children with its whole life, of which the part before is not asked for.
        var parents = after._entries.ToDictionary(e => e.Key.Pid, e => e.Value.Role);
        foreach (var (process, then) in before._entries)
        {
            if (!after._entries.ContainsKey(process) && parents.TryGetValue(then.Parent, out string? parent))
            {
                Count(parent, -(then.Cpu + then.ChildrenCpu), 0);
            }
        }

        return used;
    }

    private void Add(ProcStat process, string role)
    {
        // Steps of 10 ms are too coarse for a backend that lives for seconds; the scheduler's own count of a lone thread is exact.
        double cpu = process.Threads == 1 && ProcFile.TryRead($"/proc/{process.Pid}/schedstat") is { } exact
            ? long.Parse(exact.AsSpan(0, exact.IndexOf(' ')), CultureInfo.InvariantCulture) / 1e9
            : process.CpuSeconds;
        var switches = new Dictionary<int, long>();
        string tasks = $"/proc/{process.Pid}/task";
        if (Directory.Exists(tasks))
        {
            foreach (string thread in ThreadsIn(tasks))
            {
                if (ProcFile.TryRead($"{thread}/status") is { } status)
                {
                    switches[int.Parse(Path.GetFileName(thread), CultureInfo.InvariantCulture)] =
                        ProcFile.Number(status, "voluntary_ctxt_switches") + ProcFile.Number(status, "nonvoluntary_ctxt_switches");
                }
            }
        }

        _entries[(process.Pid, process.StartTicks)] = new Entry(role, process.Parent, cpu, process.ChildrenCpuSeconds, switches);
    }

    private static string[] ThreadsIn(string tasks)
    {
        try
        {
            return Directory.GetDirectories(tasks);
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }
}
