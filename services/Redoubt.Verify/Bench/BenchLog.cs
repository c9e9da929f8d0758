using System.Diagnostics;
using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>A stretch of log in files, and passes over it with a clock.</summary>
internal sealed class BenchLog
{
    private readonly PgVersion _version;
    private readonly byte[] _startControl;
    private readonly string _walFolder;
    private readonly Lsn _start;
    private readonly Lsn _end;

    public BenchLog(PgVersion version, byte[] startControl, string dataFolder, Lsn end)
    {
        _version = version;
        _startControl = startControl;
        _walFolder = Path.Combine(dataFolder, "pg_wal");
        _start = Control().Lsn;
        _end = end;
    }

    /// <summary>Bytes of log.</summary>
    public long Bytes => (long)(_end - _start);

    public void MeasureRead(RedoBenchResult result)
    {
        result.ReadSeconds = double.MaxValue;
        for (int pass = 0; pass < 3; pass++)
        {
            long records = 0;
            result.ReadSeconds = Math.Min(result.ReadSeconds, Pass((in WalRecord _) => records++));
            result.Records = records;
        }
    }

    public void MeasureSplit(RedoBenchResult result)
    {
        result.SplitSeconds = double.MaxValue;
        for (int pass = 0; pass < 3; pass++)
        {
            var control = Control();
            var counts = new long[1];
            long before = GC.GetAllocatedBytesForCurrentThread();
            double seconds = Pass((in WalRecord record) =>
            {
                var sink = new BlocksOnly<CountingSink>(new CountingSink(counts));
                RecordSplitter.Split(_version, record, control, ref sink);
                control.Apply(_version, record);
            });
            // The reader's buffers and the counters are per log; what each record costs is what shows here.
            result.AllocatedPerRecord = (double)(GC.GetAllocatedBytesForCurrentThread() - before) / result.Records;
            result.SplitSeconds = Math.Min(result.SplitSeconds, seconds);
            result.BlockChanges = counts[0];
        }
    }

    public void MeasureApply(RedoBenchResult result, string dataFolder, string scratch, int workers)
    {
        // The first pass is for the just-in-time compiler; the best one has met the fewest other programs.
        result.ApplySeconds = double.MaxValue;
        result.ApplyCpuSeconds = double.MaxValue;
        for (int pass = 0; pass < 3; pass++)
        {
            using var redo = new ParallelRedo(_version, Control, dataFolder, scratch, workers);
            var cpu = Environment.CpuUsage.TotalTime;
            long started = Stopwatch.GetTimestamp();
            redo.Run(handler => Pass(handler));
            result.ApplySeconds = Math.Min(result.ApplySeconds, Stopwatch.GetElapsedTime(started).TotalSeconds);
            result.ApplyCpuSeconds = Math.Min(result.ApplyCpuSeconds, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds);
        }
    }

    private ControlState Control() => ControlState.FromControlFile(_version, _startControl);

    private double Pass(RecordHandler handler)
    {
        byte[] buffer = new byte[256 * 1024];
        using var files = new WalFiles(_walFolder);
        using var reader = new WalStreamReader(_version, _start);
        var at = new Lsn(_start.Value & ~8191ul);
        var limit = new Lsn((_end.Value + 8191) & ~8191ul);
        long started = Stopwatch.GetTimestamp();
        while (at < limit)
        {
            int length = files.Read(at, limit, buffer);
            reader.Append(at, buffer.AsSpan(0, length));
            at += (ulong)length;
            while (reader.TryRead(out var record))
            {
                handler(record);
            }
        }

        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
