namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>Hands page changes to a follower; files and the rest do not matter to it.</summary>
internal readonly struct IndexSink(IndexFollower follower) : IRecordSink
{
    public void Block(in BlockChange change) => follower.Apply(change);

    public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks) => follower.Truncate(rel, fork, blocks);

    public void RelationCreated(in RelFileLocator rel, Fork fork)
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

    public void MembersTruncated(uint from, uint to)
    {
    }

    public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn)
    {
    }
}
