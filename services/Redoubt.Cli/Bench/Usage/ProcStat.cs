using System.Globalization;

namespace Redoubt.Cli.Bench.Usage;

/// <summary>What <c>/proc/PID/stat</c> says of a process that this program needs.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="Parent">Its parent's.</param>
/// <param name="Name">The program's name, 15 characters at most.</param>
/// <param name="Threads">How many it has.</param>
/// <param name="StartTicks">When it started; with the id it names a process for ever.</param>
/// <param name="CpuSeconds">Processor time of its threads, those that ended included; in steps of 10 ms.</param>
/// <param name="ChildrenCpuSeconds">Processor time of the children that ended.</param>
internal readonly record struct ProcStat(int Pid, int Parent, string Name, int Threads, long StartTicks, double CpuSeconds, double ChildrenCpuSeconds)
{
    // USER_HZ: what the kernel counts in towards programs, on every Linux.
    private const double TicksPerSecond = 100;

    /// <summary>Takes a line of <c>/proc/PID/stat</c> apart.</summary>
    public static ProcStat Parse(string line)
    {
        // "pid (name) state ppid ..."; the name may hold anything, the last ')' ends it.
        int open = line.IndexOf('('), close = line.LastIndexOf(')');
        string[] fields = line[(close + 2)..].Split(' ');
        long Field(int number) => long.Parse(fields[number - 3], CultureInfo.InvariantCulture);
        return new ProcStat(
            int.Parse(line.AsSpan(0, open - 1), CultureInfo.InvariantCulture), (int)Field(4), line[(open + 1)..close], (int)Field(20), Field(22),
            (Field(14) + Field(15)) / TicksPerSecond, (Field(16) + Field(17)) / TicksPerSecond);
    }

    /// <summary>Every process there is.</summary>
    public static List<ProcStat> All()
    {
        var all = new List<ProcStat>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (char.IsAsciiDigit(folder["/proc/".Length]) && ProcFile.TryRead($"{folder}/stat") is { } line)
            {
                all.Add(Parse(line));
            }
        }

        return all;
    }
}
