using BenchmarkDotNet.Attributes;

namespace Redoubt.Wal.Benchmarks;

/// <summary>What is done per page.</summary>
[InProcess]
[MemoryDiagnoser]
public class PageBenchmarks
{
    private readonly byte[] _page = new byte[PageRedo.PageSize];
    private readonly byte[] _image = new byte[PageRedo.PageSize];
    private readonly PageKey _key = new(new RelFileLocator(1663, 5, 16384), Fork.Main, 0);

    [GlobalSetup]
    public void Setup() => new Random(1).NextBytes(_image);

    /// <summary>Restoring a full-page image.</summary>
    [Benchmark]
    public byte Image()
    {
        PageRedo.Apply(
            PgVersion.Pg17,
            new BlockChange
            {
                Key = _key,
                Lsn = new Lsn(0x2000000),
                Rmgr = RmgrId.Xlog,
                Info = 0xB0,
                Flags = BlockChangeFlags.ApplyImage | BlockChangeFlags.WillInit,
                Image = _image,
            },
            _page);
        return _page[100];
    }

    /// <summary>Encoding and decoding a change with an image.</summary>
    [Benchmark]
    public int Encode()
    {
        Span<byte> encoded = stackalloc byte[9000];
        var change = new BlockChange { Key = _key, Lsn = new Lsn(0x2000000), Rmgr = RmgrId.Heap, Info = 0, Image = _image, MainData = _image.AsSpan(0, 3) };
        int length = change.Encode(encoded);
        return BlockChange.Decode(_key, change.Lsn, encoded[..length]).Image.Length;
    }
}
