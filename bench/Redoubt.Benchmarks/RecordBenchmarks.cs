using BenchmarkDotNet.Attributes;
using Redoubt.Verify.Bench;
using Redoubt.Wal;

namespace Redoubt.Benchmarks;

/// <summary>The decode path over 8 MiB of a real log: nothing may be allocated per record.</summary>
[MemoryDiagnoser]
public class RecordBenchmarks
{
    private SampleLog _log = null!;

    [GlobalSetup]
    public void Setup() => _log = SampleLog.MakeAsync(PgVersion.Pg17).GetAwaiter().GetResult();

    /// <summary>CRC-32C alone.</summary>
    [Benchmark]
    public uint Crc() => Crc32C.Compute(_log.Bytes);

    /// <summary>Cutting out records: page headers, links, CRCs.</summary>
    [Benchmark]
    public int Read()
    {
        int records = 0;
        _log.Read((in WalRecord _) => records++);
        return records;
    }

    /// <summary>The same, and splitting records into block changes.</summary>
    [Benchmark]
    public long Split()
    {
        long[] changes = new long[1];
        _log.Read((in WalRecord record) =>
        {
            var sink = new CountingSink(changes);
            RecordSplitter.Split(_log.Version, record, _log.Control, ref sink);
        });
        return changes[0];
    }
}
