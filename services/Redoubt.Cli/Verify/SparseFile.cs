using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Redoubt.Cli.Verify;

/// <summary>Where a sparse file has data (<c>lseek</c> with SEEK_DATA and SEEK_HOLE).</summary>
internal static partial class SparseFile
{
    private const int SeekData = 3;
    private const int SeekHole = 4;

    /// <summary>Offset of the first data at or after <paramref name="from"/>; -1 when there is none.</summary>
    public static long NextData(SafeFileHandle file, long from) => lseek(file, from, SeekData);

    /// <summary>Offset of the first hole at or after <paramref name="from"/>; the end of the file is one.</summary>
    public static long NextHole(SafeFileHandle file, long from) => lseek(file, from, SeekHole);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle file, long offset, int whence);
}
