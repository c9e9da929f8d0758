using System.Threading.Channels;
using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>
/// Redo of a log on all cores: one thread cuts and splits records, workers apply the changes, each to pages of its own. Changes of one page
/// stay in order because one worker has them; what concerns whole files waits until all workers are idle.
/// </summary>
/// <remarks>A page's worker depends on relation number, fork and block only, so that copying a database stays inside a worker.</remarks>
public sealed class ParallelRedo : IDisposable
{
    private const int BatchesAhead = 8;

    private readonly PgVersion _version;
    private readonly ControlState _control;
    private readonly Worker[] _workers;

    /// <param name="version">The log's version.</param>
    /// <param name="control">Counters as of the log's start.</param>
    /// <param name="dataFolder">The cluster as of the log's start.</param>
    /// <param name="scratchFolder">Where pages beyond memory go.</param>
    /// <param name="workers">Threads that apply.</param>
    public ParallelRedo(PgVersion version, ControlState control, string dataFolder, string scratchFolder, int workers)
    {
        _version = version;
        _control = control;
        _workers = new Worker[workers];
        for (int i = 0; i < workers; i++)
        {
            int index = i;
            var pages = new PageStore(scratchFolder);
            pages.Load(dataFolder, key => WorkerOf(key) == index);
            _workers[i] = new Worker(version, pages);
        }
    }

    /// <summary>Changes handed to workers.</summary>
    public long BlockChanges { get; private set; }

    /// <summary>The page as it is, empty when it is all zero. Call <see cref="Finish"/> before.</summary>
    public ReadOnlySpan<byte> Find(in PageKey key) => _workers[WorkerOf(key)].Pages.Find(key);

    /// <summary>Takes one record.</summary>
    public void Apply(in WalRecord record)
    {
        var sink = new Sink(this);
        RecordSplitter.Split(_version, record, _control, ref sink);
        _control.Apply(_version, record);
    }

    /// <summary>Waits until everything is applied; the workers end.</summary>
    /// <exception cref="RedoException">A worker could not apply a change.</exception>
    public void Finish()
    {
        foreach (var worker in _workers)
        {
            worker.Complete();
        }
    }

    public void Dispose()
    {
        foreach (var worker in _workers)
        {
            worker.Pages.Dispose();
        }
    }

    private int WorkerOf(in PageKey key) =>
        (int)((((ulong)key.Rel.RelNumber * 0x9E3779B1) ^ ((ulong)key.Fork << 29) ^ (key.Block * 0x85EBCA77UL)) * 0x9E3779B97F4A7C15 >> 40) % _workers.Length;

    private void Everywhere(Action<PageStore> action)
    {
        foreach (var worker in _workers)
        {
            worker.Drain();
            action(worker.Pages);
        }
    }

    private readonly struct Sink(ParallelRedo redo) : IRecordSink
    {
        public void Block(in BlockChange change)
        {
            redo.BlockChanges++;
            redo._workers[redo.WorkerOf(change.Key)].Add(change);
        }

        public void RelationCreated(in RelFileLocator rel, Fork fork)
        {
        }

        public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks)
        {
            var cut = rel;
            redo.Everywhere(pages => pages.Truncate(cut, fork, blocks));
        }

        public void RelationDropped(in RelFileLocator rel)
        {
            var dropped = rel;
            redo.Everywhere(pages => pages.Drop(dropped));
        }

        public void DatabaseCreated(uint dbOid, uint spcOid)
        {
        }

        public void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid) =>
            redo.Everywhere(pages => pages.CopyDatabase(dbOid, spcOid, sourceDbOid, sourceSpcOid));

        public void DatabaseDropped(uint dbOid, uint spcOid) => redo.Everywhere(pages => pages.DropDatabase(dbOid, spcOid));

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

        public void SlruTruncated(Fork slru, uint firstPage) => redo.Everywhere(pages => pages.TruncateSlru(slru, firstPage));

        public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn)
        {
        }
    }

    /// <summary>One thread with its pages, a queue of full batches, and a pool of empty ones that bounds it.</summary>
    private sealed class Worker
    {
        private readonly Channel<ChangeBatch> _full = Channel.CreateBounded<ChangeBatch>(BatchesAhead);
        private readonly Channel<ChangeBatch> _empty = Channel.CreateBounded<ChangeBatch>(BatchesAhead);
        private readonly PgVersion _version;
        private readonly Task _task;
        private ChangeBatch _batch = new();
        private int _pending;

        public Worker(PgVersion version, PageStore pages)
        {
            _version = version;
            Pages = pages;
            for (int i = 0; i < BatchesAhead - 1; i++)
            {
                _empty.Writer.TryWrite(new ChangeBatch());
            }

            _task = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }

        public PageStore Pages { get; }

        public void Add(in BlockChange change)
        {
            _batch.Add(change);
            if (_batch.IsFull)
            {
                HandOver();
            }
        }

        /// <summary>Waits until the worker has nothing to do.</summary>
        public void Drain()
        {
            HandOver();
            var wait = default(SpinWait);
            while (Volatile.Read(ref _pending) != 0)
            {
                ThrowIfFailed();
                wait.SpinOnce();
            }
        }

        public void Complete()
        {
            HandOver();
            _full.Writer.TryComplete();
            _task.GetAwaiter().GetResult();
        }

        private void HandOver()
        {
            if (_batch.Count == 0)
            {
                return;
            }

            Interlocked.Increment(ref _pending);
            if (!_full.Writer.TryWrite(_batch))
            {
                _full.Writer.WriteAsync(_batch).AsTask().GetAwaiter().GetResult();
            }

            ChangeBatch? next;
            while (!_empty.Reader.TryRead(out next))
            {
                ThrowIfFailed();
                _empty.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult();
            }

            _batch = next;
        }

        private void ThrowIfFailed()
        {
            if (_task.IsFaulted)
            {
                _task.GetAwaiter().GetResult();
            }
        }

        private void Run()
        {
            try
            {
                while (_full.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
                {
                    while (_full.Reader.TryRead(out var batch))
                    {
                        batch.ApplyTo(_version, Pages);
                        batch.Clear();
                        _empty.Writer.TryWrite(batch);
                        Interlocked.Decrement(ref _pending);
                    }
                }
            }
            finally
            {
                _empty.Writer.TryComplete();
            }
        }
    }
}
