using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>Finds the groups that a record touches. Creations, truncations and drops go to every group, because each keeps the size of its own part of
/// every fork; small things live in group 0.</summary>
public struct RoutingSink(GroupRouter router) : IRecordSink
{
    /// <summary>Bit g set: the record goes to group g.</summary>
    public ulong Mask { get; private set; }

    public void Block(in BlockChange change) => Mask |= 1UL << router.GroupOf(change.Key);

    public void RelationCreated(in RelFileLocator rel, Fork fork) => Mask = router.All;

    public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks) => Mask = router.All;

    public void RelationDropped(in RelFileLocator rel) => Mask = router.All;

    public void DatabaseCreated(uint dbOid, uint spcOid) => Mask = router.All;

    public void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid) => Mask = router.All;

    public void DatabaseDropped(uint dbOid, uint spcOid) => Mask = router.All;

    public void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path) => Mask = router.All;

    public void TablespaceDropped(uint spcOid) => Mask = router.All;

    public void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents) => Mask |= 1;

    public void Prepared(ulong fullXid, ReadOnlySpan<byte> state) => Mask |= 1;

    public void PreparedFinished(ulong fullXid) => Mask |= 1;

    public void SlruTruncated(Fork slru, uint firstPage) => Mask |= 1;

    public void MembersTruncated(uint from, uint to) => Mask |= 1;

    public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn) => Mask |= 1;
}
