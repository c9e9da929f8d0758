namespace Redoubt.Cli.Toolchain;

/// <summary>Builds services/pgshim/pgshim.c with the machine's C compiler, once for each version of the source.</summary>
public static class PgShim
{
    /// <summary>Path of pgshim.so, built when it is older than its source.</summary>
    /// <exception cref="CliException">There is no C compiler, or it refused the source.</exception>
    public static async Task<string> EnsureAsync(CancellationToken cancellation)
    {
        string source = Path.Combine(RepositoryLayout.Root, "services", "pgshim", "pgshim.c");
        string target = Path.Combine(RepositoryLayout.Home, "lib", "pgshim.so");
        if (File.Exists(target) && File.GetLastWriteTimeUtc(target) >= File.GetLastWriteTimeUtc(source))
        {
            return target;
        }

        string compiler = Tool.Find("cc") ?? Tool.Find("gcc") ?? Tool.Find("clang")
            ?? throw new CliException("No C compiler is installed, and pgshim needs one; install it: apt-get install gcc libc6-dev");
        Directory.CreateDirectory(Path.GetDirectoryName(target)!);
        string temporary = $"{target}.{Environment.ProcessId}";
        var built = await Tool.RunAsync(
            compiler, ["-O2", "-fPIC", "-shared", "-Wall", "-Werror", "-o", temporary, source, "-ldl"], cancellation: cancellation);
        if (built.ExitCode != 0)
        {
            throw new CliException($"pgshim.c does not compile: {built.LastLine} (a missing header comes with: apt-get install libc6-dev linux-libc-dev)");
        }

        File.SetUnixFileMode(temporary, (UnixFileMode)0b111_101_101);
        File.Move(temporary, target, overwrite: true);
        return target;
    }
}
