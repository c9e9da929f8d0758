namespace Redoubt.Wal.Tests.Reading;

/// <summary>Counts calls.</summary>
internal struct CountingSink : IRecordSink
{
    public int Blocks;
    public int Others;

    public void Block(in BlockChange change) => Blocks++;

    public void RelationCreated(in RelFileLocator rel, Fork fork) => Others++;

    public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks) => Others++;

    public void RelationDropped(in RelFileLocator rel) => Others++;

    public void DatabaseCreated(uint dbOid, uint spcOid) => Others++;

    public void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid) => Others++;

    public void DatabaseDropped(uint dbOid, uint spcOid) => Others++;

    public void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path) => Others++;

    public void TablespaceDropped(uint spcOid) => Others++;

    public void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents) => Others++;

    public void Prepared(ulong fullXid, ReadOnlySpan<byte> state) => Others++;

    public void PreparedFinished(ulong fullXid) => Others++;

    public void SlruTruncated(Fork slru, uint firstPage) => Others++;

    public void MembersTruncated(uint from, uint to) => Others++;

    public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn) => Others++;
}
