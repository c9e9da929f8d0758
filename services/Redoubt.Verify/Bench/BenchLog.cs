using System.Diagnostics;
using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>A stretch of log in files, and passes over it with a clock.</summary>
internal sealed class BenchLog
{
    private const int LeastPasses = 3;

    /// <summary>By then the methods that matter are compiled with all optimisations, as they are in a service that runs for more than seconds.</summary>
    private static readonly TimeSpan LeastTime = TimeSpan.FromSeconds(2);

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
        result.ReadSeconds = Best(() =>
        {
            long records = 0;
            double seconds = Pass((in WalRecord _) => records++);
            result.Records = records;
            return seconds;
        });
    }

    public void MeasureSplit(RedoBenchResult result)
    {
        result.SplitSeconds = Best(() =>
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
            result.BlockChanges = counts[0];
            return seconds;
        });
    }

    public void MeasureApply(RedoBenchResult result, string dataFolder, string scratch, int workers)
    {
        result.ApplyCpuSeconds = double.MaxValue;
        result.ApplySeconds = Best(() =>
        {
            using var redo = new ParallelRedo(_version, Control, dataFolder, scratch, workers);
            var cpu = Environment.CpuUsage.TotalTime;
            long started = Stopwatch.GetTimestamp();
            redo.Run(handler => Pass(handler));
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            result.ApplyCpuSeconds = Math.Min(result.ApplyCpuSeconds, (Environment.CpuUsage.TotalTime - cpu).TotalSeconds);
            return seconds;
        });
    }

    /// <summary>The fastest of several passes: it has met the fewest other programs.</summary>
    private static double Best(Func<double> pass)
    {
        double best = double.MaxValue;
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < LeastPasses || Stopwatch.GetElapsedTime(began) < LeastTime; i++)
        {
            best = Math.Min(best, pass());
        }

        return best;
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
