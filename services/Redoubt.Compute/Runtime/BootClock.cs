using System.Runtime.InteropServices;

namespace Redoubt.Compute.Runtime;

/// <summary><c>CLOCK_BOOTTIME</c>: never set, and it goes on while the machine is suspended. pgshim compares leases with it.</summary>
internal static partial class BootClock
{
    private const int ClockBootTime = 7;

    /// <summary>Milliseconds since the machine started.</summary>
    public static ulong NowMs
    {
        get
        {
            _ = GetTime(ClockBootTime, out var now);
            return ((ulong)now.Seconds * 1000) + ((ulong)now.Nanoseconds / 1_000_000);
        }
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out Timespec now);
}
