namespace Redoubt.Wal.Tests.Heap;

/// <summary>Hands page changes to a follower.</summary>
internal readonly struct HeapSink(HeapFollower follower) : IBlockSink
{
    public void Block(in BlockChange change) => follower.Apply(change);
}
