using System.Diagnostics;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// Follows PostgreSQL's log in the files of <c>pg_wal</c> on a thread of its own: woken at every write, it reads what is new, cuts it into records, hands them
/// to the writer and ships them, before anybody flushes. A flush then waits in pgshim for <see cref="FlushGate"/>.
/// </summary>
/// <remarks>
/// The last page written may hold records that are still being copied into PostgreSQL's buffers: the valid log ends where the chain of lengths, CRCs and
/// <c>xl_prev</c> does, and that page is read again when it is written again. Pages before it are final (PostgreSQL waits for all insertions below what
/// it writes), so anything wrong there is damage: this ends, no flush returns any more, and PostgreSQL must be killed.
/// </remarks>
public sealed class LogFollower : IDisposable
{
    private const int ReadLength = 1 << 20;
    private const int LookAgainMs = 1_000;

    /// <summary>Of <see cref="WalStreamReader.PartLength"/>: a part may be a page longer.</summary>
    public const int PartLength = LogFrame.MaxBodyLength - WalAddress.PageSize;

    private readonly LogPage _page;
    private readonly LogFiles _files;
    private readonly VolumeWriter _writer;
    private readonly RecordRouter _router;
    private readonly FlushGate _gate;
    private readonly WalStreamReader _reader;
    private readonly TaskCompletionSource<(LogEnd End, Exception? Error)> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private long _commits;

    /// <param name="page">Shared with pgshim.</param>
    /// <param name="files">Where the log is.</param>
    /// <param name="writer">Where records go.</param>
    /// <param name="router">Which groups get them.</param>
    /// <param name="gate">Told what is with the writer.</param>
    /// <param name="reader">Stands where PostgreSQL will write its first record.</param>
    public LogFollower(LogPage page, LogFiles files, VolumeWriter writer, RecordRouter router, FlushGate gate, WalStreamReader reader)
    {
        _page = page;
        _files = files;
        _writer = writer;
        _router = router;
        _gate = gate;
        _reader = reader;
    }

    /// <summary>Completes when it has ended.</summary>
    public Task<(LogEnd End, Exception? Error)> Ended => _ended.Task;

    /// <summary>Begins; before PostgreSQL starts.</summary>
    public void Start()
    {
        _writer.VdlMoved = _gate.Reach;
        _gate.Reach(_writer.Vdl);
        try
        {
            new Thread(Run) { Name = "log-follower", IsBackground = true, Priority = ThreadPriority.AboveNormal }.Start();
        }
        catch (OutOfMemoryException e)
        {
            // The system starts no more threads.
            _ended.TrySetResult((LogEnd.Broken, e));
        }
    }

    /// <summary>Ends the thread; PostgreSQL is dead.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _page.Interrupt();
        _ended.Task.Wait();
        _files.Dispose();
        _reader.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        try
        {
            uint handled = 0;
            while (!_stop.IsCancellationRequested)
            {
                uint writes = _page.WriteCount;
                if (writes == handled)
                {
                    _page.WaitForWrite(writes, LookAgainMs);
                    continue;
                }

                if (_page.WrittenEnd.Value == 0)
                {
                    continue; // interrupted before anything was written
                }

                Follow(_page.WrittenEnd, Stopwatch.GetTimestamp());
                _gate.Follow(writes, _reader.Position, _commits);
                handled = writes;
            }

            _ended.TrySetResult((LogEnd.Stopped, null));
        }
        catch (OperationCanceledException)
        {
            _ended.TrySetResult((LogEnd.Stopped, null));
        }
        catch (FencedException e)
        {
            _ended.TrySetResult((LogEnd.Fenced, e));
        }
        catch (Exception e)
        {
            // Whatever it was: the log goes no further, and whoever waits for this must know.
            _ended.TrySetResult((LogEnd.Broken, e));
        }
    }

    /// <summary>Ships the whole records before <paramref name="end"/>.</summary>
    private void Follow(Lsn end, long noticedAt)
    {
        _reader.FinalUpTo = WalAddress.PageStart(new Lsn(end.Value - 1));
        while (_reader.ResumePosition < end)
        {
            Lsn from = _reader.ResumePosition;
            ulong left = Math.Min(end - from, WalAddress.SegmentSize - (ulong)WalAddress.SegmentOffset(from));
            int length = (int)Math.Min(left, ReadLength);
            _files.Read(from, _reader.Refill(length));
            bool any = false;
            try
            {
                while (_reader.TryRead(out var record))
                {
                    any = true;
                    Take(record, noticedAt);
                }
            }
            finally
            {
                if (any)
                {
                    _writer.Ship(); // also what came before a record that must not be shipped
                }
            }

            _writer.WaitForRoom(_stop.Token);
            if (_reader.ResumePosition == from)
            {
                break;
            }
        }

        if (_reader.ResumePosition < _reader.FinalUpTo)
        {
            throw new WalFormatException(_reader.ResumePosition, $"The log stops here, but it was written up to {end}.");
        }
    }

    private void Take(in WalRecord record, long noticedAt)
    {
        if (record.Part == RecordPart.Whole)
        {
            _writer.Add(LogEntryKind.WalRecord, record.Start, record.End, _router.GroupsOf(record), record.Bytes, noticedAt);
            _commits += record.IsCommit ? 1 : 0;
            return;
        }

        if (record.Part == RecordPart.First)
        {
            _router.RequireStorable(record);
            _commits += record.IsCommit ? 1 : 0;
        }

        _writer.AddPart(record.Start, record.End, record.Part == RecordPart.Last, record.Bytes, noticedAt);
    }
}
