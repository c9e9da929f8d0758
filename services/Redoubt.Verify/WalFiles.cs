using System.Globalization;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>Reads the log of timeline 1 out of a <c>pg_wal</c> folder, 16 MiB files, in pieces.</summary>
public sealed class WalFiles(string walFolder) : IDisposable
{
    /// <summary><c>wal_segment_size</c>, bytes.</summary>
    public const ulong SegmentSize = 16 * 1024 * 1024;

    private FileStream? _file;
    private ulong _segment = ulong.MaxValue;

    /// <summary>The file that holds a position.</summary>
    public static string Name(Lsn at, uint timeline = 1)
    {
        ulong segment = at.Value / SegmentSize;
        const ulong perHigh = 0x1_0000_0000 / SegmentSize;
        return string.Create(CultureInfo.InvariantCulture, $"{timeline:X8}{segment / perHigh:X8}{segment % perHigh:X8}");
    }

    /// <summary>Reads from <paramref name="at"/> up to the end of the buffer, of the file, or <paramref name="limit"/>; returns bytes read.</summary>
    /// <exception cref="IOException">The file is missing or shorter than the log is said to be.</exception>
    public int Read(Lsn at, Lsn limit, Span<byte> buffer)
    {
        ulong segment = at.Value / SegmentSize;
        if (segment != _segment)
        {
            _file?.Dispose();
            _file = new FileStream(
                Path.Combine(walFolder, Name(at)), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
            _segment = segment;
        }

        ulong offset = at.Value % SegmentSize;
        ulong length = Math.Min(Math.Min(limit - at, SegmentSize - offset), (ulong)buffer.Length);
        int read = RandomAccess.Read(_file!.SafeFileHandle, buffer[..(int)length], (long)offset);
        return read > 0 || length == 0 ? read : throw new IOException($"{at}: {Name(at)} ends before the log does.");
    }

    public void Dispose() => _file?.Dispose();
}
