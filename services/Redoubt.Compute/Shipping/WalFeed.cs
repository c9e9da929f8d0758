using System.Diagnostics;
using System.Net.Sockets;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>Why a feed ended.</summary>
public enum FeedEnd
{
    /// <summary>PostgreSQL is shutting down or has died; everything it sent is with the writer.</summary>
    Closed,

    /// <summary>A newer writer exists.</summary>
    Fenced,

    /// <summary>PostgreSQL wrote a record that storage cannot redo, or bytes that are no log.</summary>
    Unsupported,
}

/// <summary>
/// Reads PostgreSQL's log as its synchronous standby on a thread of its own and hands it, record by record, to the writer; reports the VDL back as
/// flushed. This is the whole commit path inside the agent.
/// </summary>
public sealed class WalFeed : IDisposable
{
    private const int KeepaliveReplyRequested = 17;

    private readonly ReplicationConnection _connection;
    private readonly VolumeWriter _writer;
    private readonly RecordRouter _router;
    private readonly WalStreamReader _reader;
    private readonly CommitTimings _timings;
    private readonly Lock _feedbackLock = new();
    private readonly TaskCompletionSource<(FeedEnd End, Exception? Error)> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private ulong _received;
    private ulong _flushed;

    /// <param name="connection">Streaming from <paramref name="from"/>.</param>
    /// <param name="writer">Where records go.</param>
    /// <param name="router">Which groups get them.</param>
    /// <param name="version">Of the log.</param>
    /// <param name="from">A record boundary.</param>
    /// <param name="prev">Start of the record before.</param>
    /// <param name="timings">Stages.</param>
    public WalFeed(
        ReplicationConnection connection, VolumeWriter writer, RecordRouter router, PgVersion version, Lsn from, Lsn prev, CommitTimings timings)
    {
        _connection = connection;
        _writer = writer;
        _router = router;
        _timings = timings;
        _reader = new WalStreamReader(version, from, prev);
        _received = from.Value;
    }

    /// <summary>Completes when the feed has ended.</summary>
    public Task<(FeedEnd End, Exception? Error)> Ended => _ended.Task;

    /// <summary>Bytes of log received.</summary>
    public long BytesReceived { get; private set; }

    /// <summary>Begins.</summary>
    public void Start()
    {
        _writer.VdlMoved = Report;
        new Thread(Run) { Name = "wal-feed", IsBackground = true, Priority = ThreadPriority.AboveNormal }.Start();
        Report(_writer.Vdl);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _connection.Dispose();
    }

    private void Run()
    {
        (FeedEnd, Exception?) end;
        try
        {
            while (ReadOnce())
            {
            }

            end = (FeedEnd.Closed, null);
        }
        catch (FencedException e)
        {
            end = (FeedEnd.Fenced, e);
        }
        catch (WalFormatException e)
        {
            end = (FeedEnd.Unsupported, e);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or ReplicationException or OperationCanceledException)
        {
            end = (FeedEnd.Closed, e);
        }

        _ended.TrySetResult(end);
    }

    private bool ReadOnce()
    {
        if (!_connection.Receive())
        {
            return false;
        }

        long receivedAt = Stopwatch.GetTimestamp();
        bool more = true;
        try
        {
            while (more && _connection.TryRead(out byte type, out var body))
            {
                more = Handle((char)type, body, receivedAt);
            }
        }
        finally
        {
            _writer.Ship(); // also what came before a record that must not be shipped
        }

        _writer.WaitForRoom(_stop.Token);
        return more;
    }

    private bool Handle(char type, ReadOnlySpan<byte> body, long receivedAt)
    {
        switch (type)
        {
            case 'd' when body.Length > 25 && body[0] == (byte)'w':
                Take(new Lsn(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(body[1..])), body[25..], receivedAt);
                return true;
            case 'd' when body.Length > KeepaliveReplyRequested && body[0] == (byte)'k':
                if (body[KeepaliveReplyRequested] != 0)
                {
                    Send();
                }

                return true;
            case 'c':
                _connection.SendCopyDone();
                return true;
            case 'C' or 'Z':
                return false;
            case 'E':
                throw ReplicationConnection.Error(body);
            default:
                return true;
        }
    }

    private void Take(Lsn at, ReadOnlySpan<byte> bytes, long receivedAt)
    {
        BytesReceived += bytes.Length;
        _reader.Append(at, bytes);
        while (_reader.TryRead(out var record))
        {
            _writer.Add(LogEntryKind.WalRecord, record.Start, record.End, _router.GroupsOf(record), record.Bytes, receivedAt);
        }

        Volatile.Write(ref _received, at.Value + (ulong)bytes.Length);
    }

    /// <summary>Reports a VDL; smaller ones than before are ignored.</summary>
    private void Report(ulong vdl)
    {
        lock (_feedbackLock)
        {
            if (vdl <= _flushed)
            {
                return;
            }

            _flushed = vdl;
            Send();
        }
    }

    private void Send()
    {
        long startedAt = Stopwatch.GetTimestamp();
        try
        {
            lock (_feedbackLock)
            {
                ulong flushed = _flushed;
                _connection.SendFeedback(Math.Max(flushed, Volatile.Read(ref _received)), flushed, flushed);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return; // the reading side sees it
        }

        _timings.Feedback(startedAt);
    }
}
