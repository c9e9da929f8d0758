using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>Hands block changes to a delegate; ignores the rest.</summary>
internal readonly struct DelegateSink(DelegateSink.ChangeHandler handler) : IRecordSink
{
    public delegate void ChangeHandler(in BlockChange change);

    public void Block(in BlockChange change) => handler(change);

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
