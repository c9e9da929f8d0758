using System.Runtime.InteropServices;

namespace Redoubt.Compute.Runtime;

/// <summary>futex(2) on memory that is shared with other processes.</summary>
internal static unsafe partial class Futex
{
    private const int WaitOperation = 0;
    private const int WakeOperation = 1;
    private static readonly nint CallNumber = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 98 : 202;

    /// <summary>Sleeps while the word is <paramref name="expected"/>, at most so long; may return early.</summary>
    public static void Wait(uint* word, uint expected, int timeoutMs)
    {
        var timeout = new Timespec { Seconds = timeoutMs / 1000, Nanoseconds = timeoutMs % 1000 * 1_000_000 };
        _ = SystemCall(CallNumber, word, WaitOperation, expected, &timeout, null, 0);
    }

    /// <summary>Wakes everybody who sleeps on the word.</summary>
    public static void WakeAll(uint* word) => _ = SystemCall(CallNumber, word, WakeOperation, int.MaxValue, null, null, 0);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SystemCall(nint number, uint* word, int operation, uint value, Timespec* timeout, uint* word2, uint value3);
}
