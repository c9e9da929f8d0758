namespace Redoubt.Cli.Local;

/// <summary>Damages a storage process's files on purpose.</summary>
internal static class Corruption
{
    /// <summary>Flips a bit in each of <paramref name="bytes"/> bytes of the largest log file; says where.</summary>
    /// <exception cref="CliException">There is no log file yet.</exception>
    public static string Flip(string folder, long bytes)
    {
        var file = new DirectoryInfo(folder).EnumerateFiles("*.log", SearchOption.AllDirectories).Where(f => f.Length > 4096).MaxBy(f => f.Length)
            ?? throw new CliException($"There is no segment log in {folder} yet.");
        using var handle = File.OpenHandle(file.FullName, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        // The middle of the file: neither its header nor a tail that recovery may cut off as torn.
        long start = file.Length / 2;
        bytes = Math.Clamp(bytes, 1, file.Length / 4);
        byte[] damage = new byte[bytes];
        RandomAccess.Read(handle, damage, start);
        for (int i = 0; i < damage.Length; i++)
        {
            damage[i] ^= 0x10;
        }

        RandomAccess.Write(handle, damage, start);
        return $"flipped a bit in {bytes} bytes at offset {start} of {Path.GetRelativePath(folder, file.FullName)}";
    }
}
