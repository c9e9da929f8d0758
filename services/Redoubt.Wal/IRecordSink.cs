namespace Redoubt.Wal;

/// <summary>
/// Receives what one record means: changes of pages, and changes of the small things that are not pages.
/// <see cref="RecordSplitter"/> calls it in the order in which redo would act. Implement as a struct: calls are generic and inlined.
/// </summary>
public interface IRecordSink
{
    /// <summary>A page of a relation or SLRU changes. A block at or past the end of its fork makes the fork grow to include it, unless
    /// <see cref="BlockChange.MakesPage"/> is false.</summary>
    void Block(in BlockChange change);

    /// <summary>A fork comes into being, empty (<c>XLOG_SMGR_CREATE</c>). No effect when it exists.</summary>
    void RelationCreated(in RelFileLocator rel, Fork fork);

    /// <summary>A fork is cut to <paramref name="blocks"/> blocks (<c>XLOG_SMGR_TRUNCATE</c>). A fork that is shorter stays as it is.</summary>
    void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks);

    /// <summary>All forks of a relation are gone (dropped relations of commit, abort and their prepared forms).</summary>
    void RelationDropped(in RelFileLocator rel);

    /// <summary>A database's folder in a tablespace comes into being with its PG_VERSION (<c>XLOG_DBASE_CREATE_WAL_LOG</c>).</summary>
    void DatabaseCreated(uint dbOid, uint spcOid);

    /// <summary>Every relation, page and file of the source as of this record appears under the destination too
    /// (<c>XLOG_DBASE_CREATE_FILE_COPY</c>).</summary>
    void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid);

    /// <summary>Everything of the database in the tablespace is gone (<c>XLOG_DBASE_DROP</c>).</summary>
    void DatabaseDropped(uint dbOid, uint spcOid);

    /// <summary><c>XLOG_TBLSPC_CREATE</c>. An empty path is an in-place tablespace.</summary>
    void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path);

    /// <summary><c>XLOG_TBLSPC_DROP</c>.</summary>
    void TablespaceDropped(uint spcOid);

    /// <summary>A relation map's new contents (<c>XLOG_RELMAP_UPDATE</c>): the whole of pg_filenode.map. dbOid 0 is the shared map.</summary>
    void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents);

    /// <summary>A transaction is prepared; <paramref name="state"/> is its state file without the trailing CRC
    /// (record data of <c>XLOG_XACT_PREPARE</c>). The file name and CRC are the bootstrap's business.</summary>
    void Prepared(ulong fullXid, ReadOnlySpan<byte> state);

    /// <summary>A prepared transaction was committed or rolled back; its state file is gone.</summary>
    void PreparedFinished(ulong fullXid);

    /// <summary>SLRU pages wholly before <paramref name="firstPage"/> (in that SLRU's modular order) may be removed. Never multixact members.</summary>
    void SlruTruncated(Fork slru, uint firstPage);

    /// <summary>Pages of multixact members from <paramref name="from"/> to before <paramref name="to"/>, around the circle, are removed: their live part
    /// may be longer than half of it, so order does not tell which are older (<c>xl_multixact_truncate</c>).</summary>
    void MembersTruncated(uint from, uint to);

    /// <summary>A replication origin's progress (commit with origin, <c>XLOG_REPLORIGIN_SET</c>); remoteLsn 0 drops it.</summary>
    void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn);
}
