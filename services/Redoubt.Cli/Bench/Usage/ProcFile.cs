using System.Globalization;

namespace Redoubt.Cli.Bench.Usage;

/// <summary>Files of /proc, whose process may end at any moment.</summary>
internal static class ProcFile
{
    /// <summary>The text; null when the process is gone.</summary>
    public static string? TryRead(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            // No such file, or ESRCH from a process that ended between open and read.
            return null;
        }
    }

    /// <summary>The number in a line such as <c>VmHWM:  1234 kB</c>; 0 when there is none.</summary>
    public static long Number(string text, string field)
    {
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (line.StartsWith(field, StringComparison.Ordinal) && line.Length > field.Length && line[field.Length] == ':')
            {
                var value = line[(field.Length + 1)..].Trim();
                int end = value.IndexOf(' ');
                return long.Parse(end < 0 ? value : value[..end], CultureInfo.InvariantCulture);
            }
        }

        return 0;
    }

    /// <summary>A field of <c>/proc/PID/status</c> in MiB: <c>VmRSS</c> (now) or <c>VmHWM</c> (most since the process started).</summary>
    public static double MemoryMiB(int? pid, string field) => pid is null || TryRead($"/proc/{pid}/status") is not { } text ? 0 : Number(text, field) / 1024.0;
}
