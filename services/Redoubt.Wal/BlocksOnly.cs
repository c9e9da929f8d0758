namespace Redoubt.Wal;

/// <summary>Hands on changes of pages, and lets everything beside pages go by.</summary>
/// <param name="blocks">Who wants the changes; a copy is kept.</param>
public struct BlocksOnly<TSink>(TSink blocks) : IRecordSink
    where TSink : struct, IBlockSink
{
    /// <summary>Who wants the changes, as the calls left it.</summary>
    public TSink Blocks = blocks;

    /// <inheritdoc/>
    public void Block(in BlockChange change) => Blocks.Block(change);

    /// <inheritdoc/>
    public readonly void RelationCreated(in RelFileLocator rel, Fork fork)
    {
    }

    /// <inheritdoc/>
    public readonly void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks)
    {
    }

    /// <inheritdoc/>
    public readonly void RelationDropped(in RelFileLocator rel)
    {
    }

    /// <inheritdoc/>
    public readonly void DatabaseCreated(uint dbOid, uint spcOid)
    {
    }

    /// <inheritdoc/>
    public readonly void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid)
    {
    }

    /// <inheritdoc/>
    public readonly void DatabaseDropped(uint dbOid, uint spcOid)
    {
    }

    /// <inheritdoc/>
    public readonly void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path)
    {
    }

    /// <inheritdoc/>
    public readonly void TablespaceDropped(uint spcOid)
    {
    }

    /// <inheritdoc/>
    public readonly void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents)
    {
    }

    /// <inheritdoc/>
    public readonly void Prepared(ulong fullXid, ReadOnlySpan<byte> state)
    {
    }

    /// <inheritdoc/>
    public readonly void PreparedFinished(ulong fullXid)
    {
    }

    /// <inheritdoc/>
    public readonly void SlruTruncated(Fork slru, uint firstPage)
    {
    }

    /// <inheritdoc/>
    public readonly void MembersTruncated(uint from, uint to)
    {
    }

    /// <inheritdoc/>
    public readonly void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn)
    {
    }
}
