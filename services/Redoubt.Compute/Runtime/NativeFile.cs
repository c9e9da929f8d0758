using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Redoubt.Compute.Runtime;

/// <summary>The few system calls that .NET has no cheap or no way for.</summary>
internal static partial class NativeFile
{
    private const int WriteOnly = 1;
    private const int Create = 0x40;
    private const int Truncate = 0x200;
    private const int CloseOnExec = 0x80000;
    private const int RemoveSharedMemory = 0; // IPC_RMID

    public const int SigHup = 1;
    public const int SigInt = 2;
    public const int SigKill = 9;
    public const int SigStop = 19;

    /// <summary>Makes a file of the given size that is one hole, owner read and write, owned by <paramref name="owner"/>.</summary>
    public static void CreateSparse(string path, long size, OsAccount owner) => CreateFile(path, size, FTruncate, owner);

    /// <summary>Makes a file of zeros that has its space, so that writing to it through a mapping cannot fail.</summary>
    /// <exception cref="IOException">There is no room.</exception>
    public static void CreateZeroed(string path, long size, OsAccount owner) => CreateFile(path, size, (fd, length) => FAllocate(fd, 0, 0, length), owner);

    private static void CreateFile(string path, long size, Func<int, long, int> setSize, OsAccount owner)
    {
        int fd = Check(Open(path, WriteOnly | Create | Truncate | CloseOnExec, 0x180), "create", path);
        try
        {
            if (size > 0)
            {
                Check(setSize(fd, size), "size", path);
            }

            if (owner.MustChange)
            {
                Check(FChown(fd, owner.Uid, owner.Gid), "chown", path);
            }
        }
        finally
        {
            _ = Close(fd);
        }
    }

    /// <summary>Gives a file, folder or link itself to <paramref name="owner"/>.</summary>
    public static void ChangeOwner(string path, OsAccount owner)
    {
        if (owner.MustChange)
        {
            Check(LChown(path, owner.Uid, owner.Gid), "chown", path);
        }
    }

    /// <summary>Sends a signal; false when there is no such process.</summary>
    public static bool Signal(int pid, int signal) => pid > 1 && Kill(pid, signal) == 0;

    /// <summary>Removes a System V shared memory segment, if it is still there.</summary>
    public static void RemoveSharedMemorySegment(int id) => _ = ShmCtl(id, RemoveSharedMemory, 0);

    private static int Check(int result, string what, string path) => result >= 0
        ? result
        : throw new IOException($"cannot {what} '{path}': {new Win32Exception(Marshal.GetLastPInvokeError()).Message}");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "ftruncate64", SetLastError = true)]
    private static partial int FTruncate(int fd, long length);

    [LibraryImport("libc", EntryPoint = "fallocate64", SetLastError = true)]
    private static partial int FAllocate(int fd, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "fchown", SetLastError = true)]
    private static partial int FChown(int fd, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "lchown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LChown(string path, uint uid, uint gid);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int fd);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "shmctl", SetLastError = true)]
    private static partial int ShmCtl(int id, int command, nint buffer);
}
