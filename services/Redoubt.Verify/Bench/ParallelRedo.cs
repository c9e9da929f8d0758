using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>
/// Redo of a log on several cores, parallel over pages: every worker cuts and splits the whole log for itself and applies the changes of
/// its own pages straight from the log's bytes.
/// </summary>
/// <remarks>
/// Decoding costs a fraction of applying. Doing it once per worker buys that nothing is handed over, copied or waited for: changes of one
/// page stay in order because one worker has them, and what concerns whole files every worker does to its own pages at that place of the
/// log. A page's worker depends on relation number, fork and block only, so that copying a database stays inside a worker.
/// </remarks>
public sealed class ParallelRedo : IDisposable
{
    private readonly Worker[] _workers;

    /// <param name="version">The log's version.</param>
    /// <param name="control">Makes the counters as of the log's start, one for each worker.</param>
    /// <param name="dataFolder">The cluster as of the log's start.</param>
    /// <param name="scratchFolder">Where pages beyond memory go.</param>
    /// <param name="workers">Threads that apply.</param>
    public ParallelRedo(PgVersion version, Func<ControlState> control, string dataFolder, string scratchFolder, int workers)
    {
        _workers = new Worker[workers];
        for (int i = 0; i < workers; i++)
        {
            _workers[i] = new Worker(version, control(), new PageStore(scratchFolder), i, workers);
            _workers[i].Load(dataFolder);
        }
    }

    /// <summary>Changes applied.</summary>
    public long BlockChanges => _workers.Sum(worker => worker.BlockChanges);

    /// <summary>The page as it is, empty when it is all zero.</summary>
    public ReadOnlySpan<byte> Find(in PageKey key) => _workers[Worker.Of(key, _workers.Length)].Pages.Find(key);

    /// <summary>Redoes a log.</summary>
    /// <param name="readLog">Reads the whole log; called on every worker's thread.</param>
    /// <exception cref="WalFormatException">The log cannot be read.</exception>
    /// <exception cref="RedoException">A change could not be applied.</exception>
    public void Run(Action<RecordHandler> readLog)
    {
        var tasks = _workers.Select(worker => Task.Factory.StartNew(
            () => readLog(worker.Apply), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        Task.WhenAll(tasks).GetAwaiter().GetResult();
    }

    public void Dispose()
    {
        foreach (var worker in _workers)
        {
            worker.Pages.Dispose();
        }
    }

    /// <summary>One thread's part: its pages, and its own idea of the counters.</summary>
    private sealed class Worker(PgVersion version, ControlState control, PageStore pages, int index, int workers)
    {
        public PageStore Pages => pages;

        public long BlockChanges { get; private set; }

        public static int Of(in PageKey key, int workers) =>
            (int)((((ulong)key.Rel.RelNumber * 0x9E3779B1) ^ ((ulong)key.Fork << 29) ^ (key.Block * 0x85EBCA77UL)) * 0x9E3779B97F4A7C15 >> 40) % workers;

        public void Load(string dataFolder) => pages.Load(dataFolder, key => Of(key, workers) == index);

        public void Apply(in WalRecord record)
        {
            var sink = new Sink(this);
            RecordSplitter.Split(version, record, control, ref sink);
            control.Apply(version, record);
        }

        private void Apply(in BlockChange change)
        {
            if (Of(change.Key, workers) == index)
            {
                BlockChanges++;
                if (!change.MakesPage && !pages.Contains(change.Key))
                {
                    return;
                }

                PageRedo.Apply(version, change, pages.Require(change.Key));
            }
        }

        private readonly struct Sink(Worker worker) : IRecordSink
        {
            public void Block(in BlockChange change) => worker.Apply(change);

            public void RelationCreated(in RelFileLocator rel, Fork fork)
            {
            }

            public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks) => worker.Pages.Truncate(rel, fork, blocks);

            public void RelationDropped(in RelFileLocator rel) => worker.Pages.Drop(rel);

            public void DatabaseCreated(uint dbOid, uint spcOid)
            {
            }

            public void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid) =>
                worker.Pages.CopyDatabase(dbOid, spcOid, sourceDbOid, sourceSpcOid);

            public void DatabaseDropped(uint dbOid, uint spcOid) => worker.Pages.DropDatabase(dbOid, spcOid);

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

            public void SlruTruncated(Fork slru, uint firstPage) => worker.Pages.TruncateSlru(slru, firstPage);

            public void MembersTruncated(uint from, uint to) => worker.Pages.TruncateMembers(from, to);

            public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn)
            {
            }
        }
    }
}
