namespace Redoubt.Cli.Toolchain;

/// <summary>The operating system user that PostgreSQL runs as: it refuses to run as root.</summary>
public static class OsUser
{
    /// <summary>True when this process runs as root.</summary>
    public static bool IsRoot => Environment.IsPrivilegedProcess;

    /// <summary>
    /// Null when we are not root (PostgreSQL then runs as we do); else <c>REDOUBT_OS_USER</c>, <c>postgres</c> or <c>nobody</c>,
    /// whichever exists first.
    /// </summary>
    /// <exception cref="CliException">None of them exists.</exception>
    public static string? ForPostgres
    {
        get
        {
            if (!IsRoot)
            {
                return null;
            }

            var users = File.ReadLines("/etc/passwd").Select(line => line.Split(':')[0]).ToHashSet();
            string?[] wanted = [Environment.GetEnvironmentVariable("REDOUBT_OS_USER"), "postgres", "nobody"];
            return wanted.FirstOrDefault(user => !string.IsNullOrEmpty(user) && users.Contains(user))
                ?? throw new CliException("PostgreSQL does not run as root and there is no other user for it; make one: useradd --system postgres");
        }
    }

    /// <summary>The words before a command that make it run as <paramref name="user"/>; none when it is null.</summary>
    public static IReadOnlyList<string> Prefix(string? user) =>
        user is null ? [] : ["setpriv", $"--reuid={user}", $"--regid={GroupOf(user)}", "--clear-groups", "--"];

    /// <summary>True when <paramref name="user"/> can enter the folder (null: we ourselves).</summary>
    public static async Task<bool> CanEnterAsync(string? user, string folder, CancellationToken cancellation)
    {
        if (user is null)
        {
            return true;
        }

        string[] command = [.. Prefix(user), "test", "-x", folder];
        return (await Tool.RunAsync(command[0], command[1..], cancellation: cancellation)).ExitCode == 0;
    }

    private static string GroupOf(string user) => File.ReadLines("/etc/passwd").Select(line => line.Split(':')).First(line => line[0] == user)[3];
}
