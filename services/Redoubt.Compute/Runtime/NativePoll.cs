using System.Runtime.InteropServices;

namespace Redoubt.Compute.Runtime;

/// <summary>poll(2).</summary>
internal static partial class NativePoll
{
    public const short Readable = 1;
    public const short Writable = 4;

    /// <summary>Waits until one of the descriptors is ready; returns how many are. Ended or broken ones are ready.</summary>
    public static int Wait(Span<PollFd> descriptors, int timeoutMs) => Poll(ref MemoryMarshal.GetReference(descriptors), (ulong)descriptors.Length, timeoutMs);

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollFd descriptors, ulong count, int timeoutMs);
}

/// <summary><c>struct pollfd</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int Fd;
    public short Events;
    public short Returned;
}
