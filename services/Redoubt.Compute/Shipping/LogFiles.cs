using Microsoft.Win32.SafeHandles;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>Reads PostgreSQL's log out of <c>pg_wal</c>. PostgreSQL removes or reuses a file only after a checkpoint that it has flushed, so never before
/// all of it was read. Not thread-safe.</summary>
/// <param name="folder">The folder of the segment files.</param>
/// <param name="timeline">Timeline in their names.</param>
public sealed class LogFiles(string folder, uint timeline) : IDisposable
{
    private SafeFileHandle? _file;
    private Lsn _start;

    /// <summary>Reads what is in the file from <paramref name="at"/> on: fills all of <paramref name="destination"/>, which lies in one segment.</summary>
    /// <exception cref="IOException">The file is not there or too short.</exception>
    public void Read(Lsn at, Span<byte> destination)
    {
        Lsn start = WalAddress.SegmentStart(at);
        if (_file is null || start != _start)
        {
            _file?.Dispose();
            _file = null;
            _file = File.OpenHandle(
                Path.Combine(folder, WalAddress.SegmentFileName(timeline, at)), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            _start = start;
        }

        for (int done = 0; done < destination.Length;)
        {
            int n = RandomAccess.Read(_file, destination[done..], WalAddress.SegmentOffset(at) + done);
            if (n == 0)
            {
                throw new IOException($"the log file that holds {at} ends before {at + (ulong)destination.Length}");
            }

            done += n;
        }
    }

    public void Dispose() => _file?.Dispose();
}
