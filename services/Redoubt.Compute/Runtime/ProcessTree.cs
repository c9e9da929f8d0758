using System.Globalization;

namespace Redoubt.Compute.Runtime;

/// <summary>Finds and ends the processes of a PostgreSQL server by what /proc says about them.</summary>
internal static class ProcessTree
{
    /// <summary>
    /// Kills a postmaster and all its children at once, and takes away the shared memory that a killed server leaves behind. The postmaster is
    /// stopped first, so that it can neither fork nor reap while its children are looked up.
    /// </summary>
    public static void KillServer(int postmaster)
    {
        if (!NativeFile.Signal(postmaster, NativeFile.SigStop))
        {
            return;
        }

        var children = ChildrenOf(postmaster);
        var memory = children.Append(postmaster).SelectMany(SharedMemoryFiles).ToHashSet();
        foreach (int child in children)
        {
            NativeFile.Signal(child, NativeFile.SigKill);
        }

        NativeFile.Signal(postmaster, NativeFile.SigKill);
        foreach (string file in memory)
        {
            TryDelete(file);
        }
    }

    /// <summary>Kills every process whose working directory is (or was) the given one. Returns how many.</summary>
    public static int KillByWorkingDirectory(string directory)
    {
        var found = Pids().Where(pid => WorkingDirectory(pid) is { } cwd && (cwd == directory || cwd == directory + " (deleted)")).ToArray();
        foreach (int pid in found)
        {
            NativeFile.Signal(pid, NativeFile.SigStop);
        }

        var memory = found.SelectMany(SharedMemoryFiles).ToHashSet();
        foreach (int pid in found)
        {
            NativeFile.Signal(pid, NativeFile.SigKill);
        }

        foreach (string file in memory)
        {
            TryDelete(file);
        }

        return found.Length;
    }

    private static int[] ChildrenOf(int parent)
    {
        string needle = parent.ToString(CultureInfo.InvariantCulture);
        return [.. Pids().Where(pid => ParentOf(pid) == needle)];
    }

    private static IEnumerable<int> Pids()
    {
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out int pid))
            {
                yield return pid;
            }
        }
    }

    private static string? ParentOf(int pid)
    {
        try
        {
            string stat = File.ReadAllText($"/proc/{pid}/stat");
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string? WorkingDirectory(int pid)
    {
        try
        {
            return new FileInfo($"/proc/{pid}/cwd").LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>POSIX shared memory that PostgreSQL made and this process maps.</summary>
    private static IEnumerable<string> SharedMemoryFiles(int pid)
    {
        string maps;
        try
        {
            maps = File.ReadAllText($"/proc/{pid}/maps");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }

        return maps.Split('\n')
            .Select(line => line[(line.LastIndexOf(' ') + 1)..])
            .Where(path => path.StartsWith("/dev/shm/PostgreSQL.", StringComparison.Ordinal));
    }

    private static void TryDelete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // somebody else took it away
        }
    }
}
