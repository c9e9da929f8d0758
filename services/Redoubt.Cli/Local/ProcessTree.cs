using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Redoubt.Cli.Local;

/// <summary>Signals to whole trees of processes, read from /proc.</summary>
public static partial class ProcessTree
{
    /// <summary>SIGHUP.</summary>
    public const int Hangup = 1;

    /// <summary>SIGKILL.</summary>
    public const int SigKill = 9;

    /// <summary>SIGTERM.</summary>
    public const int Terminate = 15;

    private const int Continue = 18;
    private const int Stop = 19;

    /// <summary>Sends a signal; false when the process is gone.</summary>
    public static bool Signal(int pid, int signal) => kill(pid, signal) == 0;

    /// <summary>True while the process exists and is no zombie.</summary>
    public static bool IsAlive(int pid) => Stat(pid) is { State: not 'Z' };

    /// <summary>
    /// SIGKILL for a process and all below it. Every process is stopped before its children are listed, so that none is forked unseen.
    /// Returns when all are gone.
    /// </summary>
    public static void Kill(int root)
    {
        var all = new List<int>();
        Freeze(root, all);
        foreach (int pid in all)
        {
            _ = Signal(pid, SigKill);
        }

        WaitUntilGone(all);
    }

    /// <summary>SIGKILL for every postgres that works in <paramref name="folder"/> or below it: what a dead parent left behind.</summary>
    public static void KillPostgresIn(string folder)
    {
        var left = new List<int>();
        foreach (int pid in All())
        {
            try
            {
                if (File.ReadAllText($"/proc/{pid}/comm").TrimEnd() == "postgres" && File.ResolveLinkTarget($"/proc/{pid}/cwd", false)?.FullName is { } cwd
                    && (cwd == folder || cwd.StartsWith(folder + "/", StringComparison.Ordinal)))
                {
                    left.Add(pid);
                    _ = Signal(pid, SigKill);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Gone meanwhile, or another user's: not ours.
            }
        }

        WaitUntilGone(left);
    }

    /// <summary>SIGSTOP for a process and all below it; returns which they are.</summary>
    public static IReadOnlyList<int> Pause(int root)
    {
        var all = new List<int>();
        Freeze(root, all);
        return all;
    }

    /// <summary>SIGCONT.</summary>
    public static void Resume(int pid) => _ = Signal(pid, Continue);

    /// <summary>Stops a process and all below it, a look at all processes a round, until a round finds nobody new: a stopped process forks no more.</summary>
    private static void Freeze(int root, List<int> all)
    {
        var tree = new HashSet<int> { root };
        all.Add(root);
        _ = Signal(root, Stop);
        for (bool found = true; found;)
        {
            var parents = All().Select(pid => (Pid: pid, Stat(pid)?.Parent)).ToList();
            found = false;
            for (bool deeper = true; deeper; found |= deeper)
            {
                var children = parents.Where(p => p.Parent is { } parent && tree.Contains(parent) && !tree.Contains(p.Pid)).Select(p => p.Pid).ToList();
                children.ForEach(pid => _ = Signal(pid, Stop));
                tree.UnionWith(children);
                all.AddRange(children);
                deeper = children.Count > 0;
            }
        }
    }

    private static void WaitUntilGone(List<int> pids)
    {
        var clock = Stopwatch.StartNew();
        while (pids.Exists(IsAlive))
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(10))
            {
                throw new CliException($"Process {pids.Find(IsAlive)} does not end after SIGKILL; it hangs in the kernel.");
            }

            Thread.Sleep(2);
        }
    }

    private static IEnumerable<int> All() =>
        Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Where(name => char.IsAsciiDigit(name![0])).Select(name => int.Parse(name!, CultureInfo.InvariantCulture));

    private static (char State, int Parent)? Stat(int pid)
    {
        try
        {
            // "pid (name) state ppid ..."; the name may hold anything, the last ')' ends it.
            string text = File.ReadAllText($"/proc/{pid}/stat");
            string[] fields = text[(text.LastIndexOf(')') + 2)..].Split(' ', 3);
            return (fields[0][0], int.Parse(fields[1], CultureInfo.InvariantCulture));
        }
        catch (IOException)
        {
            return null;
        }
    }

    [LibraryImport("libc")]
    private static partial int kill(int pid, int signal);
}
