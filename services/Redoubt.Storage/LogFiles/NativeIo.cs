using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Redoubt.Storage.LogFiles;

/// <summary>The few system calls that .NET has no name for.</summary>
internal static partial class NativeIo
{
    private const int PriorityOfProcess = 0;
    private const int DontWait = 0x40;
    private const int NoSignal = 0x4000;
    private const int TryAgain = 11;

    /// <summary>Makes a file's bytes durable without its times; on a file whose size and blocks do not change, no file-system journal commit.</summary>
    /// <exception cref="IOException">The device failed: what was written since the last success is lost or unknown.</exception>
    public static void DataSync(SafeFileHandle file)
    {
        if (FDataSync(file) != 0)
        {
            throw new IOException("fdatasync: " + new Win32Exception(Marshal.GetLastPInvokeError()).Message);
        }
    }

    /// <summary>Opens a file for writes past the page cache that are durable when they return; null where that is not to be had.</summary>
    public static SafeFileHandle? OpenDirect(string path)
    {
        int direct = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000; // O_DIRECT
        var handle = Open(path, 0x1 /* O_WRONLY */ | 0x1000 /* O_DSYNC */ | 0x80000 /* O_CLOEXEC */ | direct, 0);
        if (!handle.IsInvalid)
        {
            return handle;
        }

        handle.Dispose();
        return null;
    }

    /// <summary>Gives back the memory that holds a file's durable bytes. Best effort.</summary>
    public static void DropCache(SafeFileHandle file) => _ = PosixFAdvise(file, 0, 0, 4 /* POSIX_FADV_DONTNEED */);

    /// <summary>Makes the names in a folder durable.</summary>
    public static void SyncDirectory(string path)
    {
        using var handle = Open(path, 0x10000 /* O_DIRECTORY */ | 0x80000 /* O_CLOEXEC */, 0);
        if (handle.IsInvalid || FSync(handle) != 0)
        {
            throw new IOException($"fsync of {path}: " + new Win32Exception(Marshal.GetLastPInvokeError()).Message);
        }
    }

    /// <summary>Lowers the calling thread's share of the processor (nice value 0…19). Best effort.</summary>
    public static void SetThreadNice(int nice) => _ = SetPriority(PriorityOfProcess, GetThreadId(), nice);

    /// <summary>Sends without waiting, on a socket that otherwise blocks.</summary>
    /// <returns>Bytes taken, 0 when the socket is full, -1 when it is broken.</returns>
    public static int SendNow(Socket socket, ReadOnlySpan<byte> bytes)
    {
        nint sent = Send(socket.SafeHandle, bytes, (nuint)bytes.Length, DontWait | NoSignal);
        return sent >= 0 ? (int)sent : Marshal.GetLastPInvokeError() == TryAgain ? 0 : -1;
    }

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint Send(SafeSocketHandle socket, ReadOnlySpan<byte> bytes, nuint length, int flags);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FDataSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "posix_fadvise64")]
    private static partial int PosixFAdvise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int GetThreadId();
}
