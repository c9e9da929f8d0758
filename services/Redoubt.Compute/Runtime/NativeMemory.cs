using System.Runtime.InteropServices;

namespace Redoubt.Compute.Runtime;

/// <summary>Asks the kernel for memory as PostgreSQL does for its shared memory.</summary>
internal static partial class NativeMemory
{
    private const int ReadWrite = 3; // PROT_READ | PROT_WRITE
    private const int SharedAnonymous = 0x21; // MAP_SHARED | MAP_ANONYMOUS

    /// <summary>True when so many bytes can be mapped. Nothing of it is touched or kept.</summary>
    public static bool CanMap(long bytes)
    {
        nint address = Map(0, (nint)bytes, ReadWrite, SharedAnonymous, -1, 0);
        return address != -1 && Unmap(address, (nint)bytes) == 0;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nint length);
}
