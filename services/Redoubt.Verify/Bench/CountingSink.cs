using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>Counts block changes; ignores the rest. What decoding costs by itself.</summary>
/// <param name="changes">The counter: its first element.</param>
public readonly struct CountingSink(long[] changes) : IRecordSink
{
    public void Block(in BlockChange change) => changes[0]++;

    public void RelationCreated(in RelFileLocator rel, Fork fork)
    {
    }

    public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks)
    {
    }

    public void RelationDropped(in RelFileLocator rel)
    {
    }

    public void DatabaseCreated(uint dbOid, uint spcOid)
    {
    }

    public void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid)
    {
    }

    public void DatabaseDropped(uint dbOid, uint spcOid)
    {
    }

    public void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path)
    {
    }

    public void TablespaceDropped(uint spcOid)
    {
    }

    public void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents)
    {
    }

    public void Prepared(ulong fullXid, ReadOnlySpan<byte> state)
    {
    }

    public void PreparedFinished(ulong fullXid)
    {
    }

    public void SlruTruncated(Fork slru, uint firstPage)
    {
    }

    public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn)
    {
    }
}
