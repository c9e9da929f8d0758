using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>Counts block changes. What decoding costs by itself.</summary>
/// <param name="changes">The counter: its first element.</param>
public readonly struct CountingSink(long[] changes) : IBlockSink
{
    public void Block(in BlockChange change) => changes[0]++;
}
