namespace Redoubt.Cli.Local;

/// <summary>Damages a storage process's files on purpose.</summary>
internal static class Corruption
{
    private const int HeaderLength = 4096;

    /// <summary>Flips a bit in each of <paramref name="bytes"/> bytes of the largest log file; says where.</summary>
    /// <exception cref="CliException">There is no log file yet.</exception>
    public static string Flip(string folder, long bytes)
    {
        // Log files are preallocated: what counts is how far they are written.
        var (path, end) = new DirectoryInfo(folder).EnumerateFiles("*.log", SearchOption.AllDirectories)
            .Select(f => (Path: f.FullName, End: LastWritten(f.FullName))).OrderByDescending(f => f.End).ThenBy(f => f.Path, StringComparer.Ordinal).FirstOrDefault();
        if (end <= HeaderLength)
        {
            throw new CliException($"There is no segment log in {folder} yet.");
        }

        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);

        // The middle of what is written: neither the header nor a tail that recovery may cut off as torn.
        long start = HeaderLength + ((end - HeaderLength) / 2);
        bytes = Math.Clamp(bytes, 1, Math.Max(1, (end - start) / 2));
        byte[] damage = new byte[bytes];
        RandomAccess.Read(handle, damage, start);
        for (int i = 0; i < damage.Length; i++)
        {
            damage[i] ^= 0x10;
        }

        RandomAccess.Write(handle, damage, start);
        return $"flipped a bit in {bytes} bytes at offset {start} of {Path.GetRelativePath(folder, path)}";
    }

    private static long LastWritten(string path)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] buffer = new byte[1 << 20];
        for (long at = RandomAccess.GetLength(handle); at > 0; at -= buffer.Length)
        {
            long from = Math.Max(0, at - buffer.Length);
            int read = RandomAccess.Read(handle, buffer.AsSpan(0, (int)(at - from)), from);
            int last = buffer.AsSpan(0, read).LastIndexOfAnyExcept((byte)0);
            if (last >= 0)
            {
                return from + last + 1;
            }
        }

        return 0;
    }
}
