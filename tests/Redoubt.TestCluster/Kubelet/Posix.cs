using System.Runtime.InteropServices;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>System calls that .NET does not offer.</summary>
internal static partial class Posix
{
    [LibraryImport("libc", EntryPoint = "rename", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int RenameCall(string from, string to);

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChownCall(string path, int user, int group);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int KillCall(int pid, int signal);

    /// <summary>rename(2): replaces the target at once, also when either is a symbolic link.</summary>
    public static void Rename(string from, string to) => Check(RenameCall(from, to), $"rename {from} to {to}");

    /// <summary>chown(2).</summary>
    public static void Chown(string path, int user, int group) => Check(ChownCall(path, user, group), $"chown {path}");

    /// <summary>kill(2); a process that is gone is no error.</summary>
    public static void Kill(int pid, int signal) => _ = KillCall(pid, signal);

    private static void Check(int result, string what)
    {
        if (result != 0)
        {
            throw new IOException($"{what}: {Marshal.GetLastPInvokeErrorMessage()}");
        }
    }
}
