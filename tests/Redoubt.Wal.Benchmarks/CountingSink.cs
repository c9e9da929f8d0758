namespace Redoubt.Wal.Benchmarks;

/// <summary>Counts the bytes of block changes.</summary>
internal struct CountingSink : IBlockSink
{
    public long Bytes;

    public void Block(in BlockChange change) => Bytes += change.EncodedLength;
}
