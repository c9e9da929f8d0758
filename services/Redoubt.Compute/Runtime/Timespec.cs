using System.Runtime.InteropServices;

namespace Redoubt.Compute.Runtime;

/// <summary><c>struct timespec</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Timespec
{
    public long Seconds;
    public long Nanoseconds;
}
