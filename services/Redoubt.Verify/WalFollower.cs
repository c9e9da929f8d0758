using Npgsql;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>
/// Feeds a running server's log to a handler while the server writes it, and lets the server recycle what has been read: a replication
/// slot keeps the rest. Survives restarts of the server.
/// </summary>
public sealed class WalFollower : IDisposable
{
    private const string Slot = "redoubt_verify";
    private const ulong AdvanceEvery = 64 * 1024 * 1024;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    private readonly StockPostgres _server;
    private readonly WalFiles _files;
    private readonly RecordHandler _handler;
    private readonly byte[] _buffer = new byte[1024 * 1024];
    private readonly Lsn _start;
    private WalStreamReader _reader;
    private Lsn _read;
    private Lsn _advanced;

    /// <param name="server">Whose log.</param>
    /// <param name="control">Where the log begins: the state after a clean shutdown.</param>
    /// <param name="handler">Receives every record, on the follower's own thread.</param>
    public WalFollower(StockPostgres server, ControlState control, RecordHandler handler)
    {
        _server = server;
        _handler = handler;
        _start = control.Lsn;
        _read = new Lsn(_start.Value & ~8191ul);
        _reader = new WalStreamReader(server.Version, _start);
        _files = new WalFiles(Path.Combine(server.DataFolder, "pg_wal"));
    }

    /// <summary>Leaves the whole log in the server's folder instead of letting it recycle what has been read.</summary>
    public bool KeepLog { get; init; }

    /// <summary>Position after the last record handled.</summary>
    public Lsn Position => _reader.Position;

    /// <summary>Bytes of log handled.</summary>
    public ulong Bytes => _reader.Position - _start;

    /// <summary>Makes the slot that keeps the log. Call before anything else is written.</summary>
    public Task PrepareAsync(CancellationToken cancel) =>
        _server.ExecuteAsync($"SELECT pg_create_physical_replication_slot('{Slot}', true)", cancel);

    /// <summary>Follows the server until <paramref name="stop"/> is cancelled. Errors of the handler end it at once.</summary>
    public async Task FollowAsync(CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var connection = new NpgsqlConnection(_server.ConnectionString());
                await using (connection.ConfigureAwait(false))
                {
                    await connection.OpenAsync(stop).ConfigureAwait(false);
                    await FollowAsync(connection, stop).ConfigureAwait(false);
                }
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return;
            }
            catch (NpgsqlException)
            {
                // The server restarts. After a crash, what was written of a record that never ended is written anew.
                Rewind();
                await Task.Delay(Pause, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }

    /// <summary>Reads the rest of the log of a stopped server.</summary>
    /// <exception cref="WalFormatException">The log is damaged or ends before <paramref name="end"/>.</exception>
    public void ReadTo(Lsn end)
    {
        Rewind();
        ReadUpTo(new Lsn((end.Value + 8191) & ~8191ul));
        if (_reader.Position < end)
        {
            throw new WalFormatException(_reader.Position, $"The log ends here, before {end}.");
        }
    }

    public void Dispose()
    {
        _files.Dispose();
        _reader.Dispose();
    }

    private void Rewind()
    {
        var reader = new WalStreamReader(_server.Version, _reader.Position, _reader.LastRecordStart);
        _reader.Dispose();
        _reader = reader;
        _read = new Lsn(reader.Position.Value & ~8191ul);
    }

    private async Task FollowAsync(NpgsqlConnection connection, CancellationToken stop)
    {
        var flushed = new NpgsqlCommand("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::int8", connection);
        await using (flushed.ConfigureAwait(false))
        {
            while (!stop.IsCancellationRequested)
            {
                var limit = new Lsn((ulong)(long)(await flushed.ExecuteScalarAsync(stop).ConfigureAwait(false))!);
                if (limit <= _read)
                {
                    await Task.Delay(Pause, stop).ConfigureAwait(false);
                    continue;
                }

                ReadUpTo(limit);
                if (!KeepLog && _reader.Position.Value - _advanced.Value > AdvanceEvery)
                {
                    await AdvanceAsync(connection, stop).ConfigureAwait(false);
                }
            }
        }
    }

    private async Task AdvanceAsync(NpgsqlConnection connection, CancellationToken stop)
    {
        _advanced = _reader.Position;
        var advance = new NpgsqlCommand($"SELECT pg_replication_slot_advance('{Slot}', '{_advanced}')", connection);
        await using (advance.ConfigureAwait(false))
        {
            try
            {
                await advance.ExecuteNonQueryAsync(stop).ConfigureAwait(false);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedObject)
            {
                // A workload dropped every slot there was; until this moment wal_keep_size has kept the log.
                await PrepareAsync(stop).ConfigureAwait(false);
            }
        }
    }

    private void ReadUpTo(Lsn limit)
    {
        while (_read < limit)
        {
            int length = _files.Read(_read, limit, _buffer);
            _reader.Append(_read, _buffer.AsSpan(0, length));
            _read += (ulong)length;
            while (_reader.TryRead(out var record))
            {
                _handler(record);
            }
        }
    }
}

/// <summary>Receives one record; the record lives for the call only.</summary>
public delegate void RecordHandler(in WalRecord record);
