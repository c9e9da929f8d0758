using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Redoubt.Verify;

/// <summary>The ordinary user that PostgreSQL runs as when this process is root: <c>postgres</c>, else <c>nobody</c>.</summary>
internal sealed partial class OsUser
{
    private readonly uint _userId;
    private readonly uint _groupId;

    private OsUser(uint userId, uint groupId)
    {
        _userId = userId;
        _groupId = groupId;
    }

    /// <summary>The user to change to; null when this process is not root and stays who it is.</summary>
    /// <exception cref="StockPostgresException">Root, and neither user exists.</exception>
    public static OsUser? ForPostgres()
    {
        if (GetEffectiveUserId() != 0)
        {
            return null;
        }

        var users = File.ReadLines("/etc/passwd").Select(line => line.Split(':')).Where(fields => fields.Length > 3).ToList();
        var user = users.Find(fields => fields[0] == "postgres") ?? users.Find(fields => fields[0] == "nobody")
            ?? throw new StockPostgresException("PostgreSQL does not run as root: add a user named postgres.");
        return new OsUser(uint.Parse(user[2], CultureInfo.InvariantCulture), uint.Parse(user[3], CultureInfo.InvariantCulture));
    }

    /// <summary>A start of <paramref name="program"/> as this user.</summary>
    public ProcessStartInfo Command(string program)
    {
        var start = new ProcessStartInfo("setpriv");
        foreach (string argument in (string[])[$"--reuid={_userId}", $"--regid={_groupId}", "--clear-groups", program])
        {
            start.ArgumentList.Add(argument);
        }

        return start;
    }

    /// <summary>Makes this user the owner of one file or folder.</summary>
    public void Own(string path) => _ = ChangeOwner(path, _userId, _groupId);

    /// <summary>Makes this user the owner of a folder and everything below it.</summary>
    public void OwnTree(string folder)
    {
        Own(folder);
        foreach (string path in Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories))
        {
            Own(path);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    internal static partial int Kill(int processId, int signal);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUserId();

    [LibraryImport("libc", EntryPoint = "lchown", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint user, uint group);
}
