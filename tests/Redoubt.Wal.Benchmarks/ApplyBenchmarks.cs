using BenchmarkDotNet.Attributes;

namespace Redoubt.Wal.Benchmarks;

/// <summary>One change on one page, decoded from its stored form; includes the copy of the page before (measured alone as the baseline).</summary>
[InProcess]
[MemoryDiagnoser]
public class ApplyBenchmarks
{
    private readonly byte[] _page = new byte[PageRedo.PageSize];
    private SampleChange _change = null!;

    /// <summary>Resource manager, kind, block reference.</summary>
    [ParamsSource(nameof(Kinds))]
    public string Kind { get; set; } = "";

    public static IEnumerable<string> Kinds => SampleLog.Changes.Keys.Order(StringComparer.Ordinal);

    [GlobalSetup]
    public void Setup() => _change = SampleLog.Changes[Kind];

    [Benchmark(Baseline = true, Description = "copy of the page")]
    public byte Copy()
    {
        _change.Before.CopyTo(_page, 0);
        return _page[0];
    }

    [Benchmark(Description = "copy, decode, redo")]
    public byte Apply()
    {
        _change.Before.CopyTo(_page, 0);
        PageRedo.Apply(SampleLog.Version, BlockChange.Decode(_change.Key, _change.Lsn, _change.Encoded), _page);
        return _page[0];
    }
}
