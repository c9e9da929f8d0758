using BenchmarkDotNet.Attributes;

namespace Redoubt.Wal.Benchmarks;

/// <summary>From bytes of log to block changes: whole passes over the recorded log (its size is printed as a parameter, MiB).</summary>
[InProcess]
[MemoryDiagnoser]
public class ReadBenchmarks
{
    private ControlState _control = null!;

    /// <summary>MiB of log in one pass.</summary>
    [ParamsSource(nameof(Sizes))]
    public int LogMiB { get; set; }

    public static IEnumerable<int> Sizes => [SampleLog.Bytes.Length >> 20];

    [IterationSetup]
    public void Setup() => _control = SampleLog.NewControl();

    [Benchmark(Description = "CRC-32C of the log")]
    public uint Crc() => Crc32C.Compute(SampleLog.Bytes);

    [Benchmark(Description = "cut into records, CRC checked")]
    public int Records()
    {
        using var reader = new WalStreamReader(SampleLog.Version, _control.Lsn);
        reader.Append(SampleLog.First, SampleLog.Bytes);
        int count = 0;
        while (reader.TryRead(out _))
        {
            count++;
        }

        return count;
    }

    [Benchmark(Description = "cut, split into block changes, counters followed")]
    public long Split()
    {
        var sink = default(BlocksOnly<CountingSink>);
        using var reader = new WalStreamReader(SampleLog.Version, _control.Lsn);
        reader.Append(SampleLog.First, SampleLog.Bytes);
        while (reader.TryRead(out WalRecord record))
        {
            RecordSplitter.Split(SampleLog.Version, record, _control, ref sink);
            _control.Apply(SampleLog.Version, record);
        }

        return sink.Blocks.Bytes;
    }
}
