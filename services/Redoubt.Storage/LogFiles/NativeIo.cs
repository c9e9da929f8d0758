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

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int priority);

    [LibraryImport("libc", EntryPoint = "gettid")]
    private static partial int GetThreadId();
}
