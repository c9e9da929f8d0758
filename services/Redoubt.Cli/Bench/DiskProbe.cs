using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Redoubt.Cli.Bench;

/// <summary>How long the disk takes to make 4 KiB durable in the temporary folder, the comparator's place: no commit is faster.</summary>
/// <param name="AloneUs">Mean of one writer.</param>
/// <param name="TogetherUs">Mean of as many writers at once as there are copies.</param>
internal readonly partial record struct DiskProbe(double AloneUs, double TogetherUs)
{
    private const int Block = 4096;
    private const int Blocks = 2048;
    private static readonly TimeSpan Lasts = TimeSpan.FromMilliseconds(700);

    /// <summary>Takes about two seconds.</summary>
    public static DiskProbe Measure(int copies)
    {
        string folder = Directory.CreateTempSubdirectory("redoubt-disk-").FullName;
        try
        {
            return new DiskProbe(MeanUs(folder, 1), MeanUs(folder, copies));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double MeanUs(string folder, int writers)
    {
        double[] means = new double[writers];
        var threads = Enumerable.Range(0, writers).Select(writer => new Thread(() => means[writer] = WriteUs(Path.Combine(folder, $"{writer}")))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        return means.Average();
    }

    private static double WriteUs(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        byte[] block = new byte[Block];
        for (int i = 0; i < Blocks; i++)
        {
            RandomAccess.Write(file, block, (long)i * Block);
        }

        // The blocks exist now, as they do in a log file that was made beforehand.
        Sync(file);
        var clock = Stopwatch.StartNew();
        int writes = 0;
        for (; clock.Elapsed < Lasts; writes++)
        {
            RandomAccess.Write(file, block, (long)(writes % Blocks) * Block);
            Sync(file);
        }

        return clock.Elapsed.TotalMicroseconds / writes;
    }

    private static void Sync(SafeFileHandle file)
    {
        if (fdatasync(file) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fdatasync(SafeFileHandle file);
}
