namespace Redoubt.Wal.Benchmarks;

/// <summary>Counts the bytes of block changes and lets everything else pass.</summary>
internal struct CountingSink : IRecordSink
{
    public long Bytes;

    public void Block(in BlockChange change) => Bytes += change.EncodedLength;

    public readonly void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks)
    {
    }

    public readonly void RelationCreated(in RelFileLocator rel, Fork fork)
    {
    }

    public readonly void RelationDropped(in RelFileLocator rel)
    {
    }

    public readonly void DatabaseCreated(uint dbOid, uint spcOid)
    {
    }

    public readonly void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid)
    {
    }

    public readonly void DatabaseDropped(uint dbOid, uint spcOid)
    {
    }

    public readonly void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path)
    {
    }

    public readonly void TablespaceDropped(uint spcOid)
    {
    }

    public readonly void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents)
    {
    }

    public readonly void Prepared(ulong fullXid, ReadOnlySpan<byte> state)
    {
    }

    public readonly void PreparedFinished(ulong fullXid)
    {
    }

    public readonly void SlruTruncated(Fork slru, uint firstPage)
    {
    }

    public readonly void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn)
    {
    }
}
