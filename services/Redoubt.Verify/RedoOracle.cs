using Redoubt.Verify.Masks;
using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>
/// Follows a log record by record: redoes every change on its own pages, and compares each page with the after-image that
/// <c>wal_consistency_checking</c> put into the record, both masked as PostgreSQL masks them. Not thread-safe.
/// </summary>
/// <remarks>
/// The page that is compared is made by redo alone; an image is used for nothing else. Only after a mismatch (which fails the run) is the
/// image taken over, so that one error is not reported again by every later change of the page.
/// </remarks>
public sealed class RedoOracle
{
    private readonly byte[] _expected = new byte[PageRedo.PageSize];
    private readonly byte[] _actual = new byte[PageRedo.PageSize];
    private readonly byte[] _before = new byte[PageRedo.PageSize];
    private readonly PageApplier _apply;

    /// <param name="version">The log's version.</param>
    /// <param name="cluster">Pages and files as of the log's start.</param>
    /// <param name="control">Counters as of the log's start.</param>
    /// <param name="apply">The redo under test; null for <see cref="PageRedo.Apply"/>.</param>
    public RedoOracle(PgVersion version, ClusterState cluster, ControlState control, PageApplier? apply = null)
    {
        Version = version;
        Cluster = cluster;
        Control = control;
        _apply = apply ?? PageRedo.Apply;
        Counts = new RedoCounts(version);
    }

    public PgVersion Version { get; }

    /// <summary>Pages and small files as redo leaves them.</summary>
    public ClusterState Cluster { get; }

    /// <summary>Counters after the last record.</summary>
    public ControlState Control { get; }

    /// <summary>Records whose redo is left out, so that a test can see that this is noticed; null: none.</summary>
    public RecordFilter? Forgets { get; init; }

    /// <summary>What was seen and compared.</summary>
    public RedoCounts Counts { get; }

    /// <summary>Receives every difference found (the spans of the report live for the call only). Null: differences are only counted.</summary>
    public Action<RedoMismatch>? OnMismatch { get; set; }

    /// <summary>Receives every record or change that redo refuses.</summary>
    public Action<Exception>? OnRefused { get; set; }

    /// <summary>Follows one record.</summary>
    public void Apply(in WalRecord record)
    {
        Counts.Saw(record.Rmgr, record.Info);
        if (Forgets?.Invoke(record) == true)
        {
            return;
        }

        var sink = new Sink(this);
        try
        {
            RecordSplitter.Split(Version, record, Control, ref sink);
        }
        catch (UnsupportedRecordException refusal)
        {
            Counts.Unknown++;
            OnRefused?.Invoke(refusal);
        }
        catch (WalFormatException refusal)
        {
            Counts.Refused++;
            OnRefused?.Invoke(refusal);
        }

        Control.Apply(Version, record);
    }

    private void Change(in BlockChange change)
    {
        Counts.BlockChanges++;
        if (!change.MakesPage && !Cluster.Pages.Contains(change.Key))
        {
            return;
        }

        bool check = (change.Flags & BlockChangeFlags.CheckImage) != 0;
        Span<byte> page = Cluster.Pages.Require(change.Key);
        if (check)
        {
            page.CopyTo(_before);
        }

        try
        {
            _apply(Version, change, page);
        }
        catch (RedoException refusal)
        {
            Counts.Refused++;
            OnRefused?.Invoke(refusal);
            if (check)
            {
                Restore(change, page);
            }

            return;
        }

        if (check)
        {
            Compare(change, page);
        }
    }

    private void Compare(in BlockChange change, Span<byte> page)
    {
        Counts.Compared(change.Rmgr, change.Info);
        Restore(change, _expected);
        if (page[8..].SequenceEqual(_expected.AsSpan(8)))
        {
            return;
        }

        page.CopyTo(_actual);
        string? problem = null;
        try
        {
            PageMask.Apply(change.Rmgr, _expected, change.Key.Block);
            PageMask.Apply(change.Rmgr, _actual, change.Key.Block);
        }
        catch (InvalidPageException invalid)
        {
            problem = invalid.Message;
        }

        int at = _expected.AsSpan().CommonPrefixLength(_actual);
        if (at == PageRedo.PageSize && problem is null)
        {
            return;
        }

        Counts.Mismatched(change.Rmgr, change.Info);
        Restore(change, _expected);
        OnMismatch?.Invoke(new RedoMismatch(
            change.Key, change.Lsn, change.Rmgr, change.Info, change.BlockId, at, problem, _before, page.ToArray(), _expected));
        _expected.CopyTo(page);
    }

    /// <summary>Unpacks the image of a change into a page.</summary>
    private void Restore(in BlockChange change, Span<byte> page) => PageRedo.Apply(
        Version,
        new BlockChange
        {
            Key = change.Key,
            Lsn = change.Lsn,
            Rmgr = change.Rmgr,
            Info = change.Info,
            BlockId = change.BlockId,
            Flags = (change.Flags & ~BlockChangeFlags.CheckImage) | BlockChangeFlags.ApplyImage | BlockChangeFlags.WillInit,
            Image = change.Image,
            HoleOffset = change.HoleOffset,
            HoleLength = change.HoleLength,
        },
        page);

    private readonly struct Sink(RedoOracle oracle) : IRecordSink
    {
        private ClusterState Cluster => oracle.Cluster;

        public void Block(in BlockChange change) => oracle.Change(change);

        public void RelationCreated(in RelFileLocator rel, Fork fork) => Cluster.Pages.Create(rel, fork);

        public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks) => Cluster.Pages.Truncate(rel, fork, blocks);

        public void RelationDropped(in RelFileLocator rel) => Cluster.Pages.Drop(rel);

        public void DatabaseCreated(uint dbOid, uint spcOid) => Cluster.CreateDatabase(dbOid, spcOid);

        public void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid) =>
            Cluster.CopyDatabase(dbOid, spcOid, sourceDbOid, sourceSpcOid);

        public void DatabaseDropped(uint dbOid, uint spcOid) => Cluster.DropDatabase(dbOid, spcOid);

        public void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path) => Cluster.Tablespaces.Add(spcOid);

        public void TablespaceDropped(uint spcOid) => Cluster.Tablespaces.Remove(spcOid);

        public void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents) =>
            Cluster.RelationMaps[(dbOid, spcOid)] = contents.ToArray();

        public void Prepared(ulong fullXid, ReadOnlySpan<byte> state) => Cluster.Prepared[fullXid] = state.ToArray();

        public void PreparedFinished(ulong fullXid) => Cluster.Prepared.Remove(fullXid);

        public void SlruTruncated(Fork slru, uint firstPage) => Cluster.Pages.TruncateSlru(slru, firstPage);

        public void MembersTruncated(uint from, uint to) => Cluster.Pages.TruncateMembers(from, to);

        public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn)
        {
            if (remoteLsn.IsValid)
            {
                Cluster.Origins[originId] = remoteLsn;
            }
            else
            {
                Cluster.Origins.Remove(originId);
            }
        }
    }
}

/// <summary>Chooses records.</summary>
public delegate bool RecordFilter(in WalRecord record);

/// <summary>Redo of one change on one page, in place (<see cref="PageRedo.Apply"/>, or a variant under test).</summary>
public delegate void PageApplier(PgVersion version, in BlockChange change, Span<byte> page);
