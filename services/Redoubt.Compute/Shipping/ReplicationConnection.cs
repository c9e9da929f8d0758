using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// PostgreSQL's streaming replication protocol over the local unix socket, as a physical standby speaks it
/// (PostgreSQL documentation, "Streaming Replication Protocol" and "Message Formats"). Blocking reads on one thread, so that nothing stands between the
/// walsender and the log's way out; <see cref="SendFeedback"/> may be called from any thread.
/// </summary>
public sealed class ReplicationConnection : IDisposable
{
    private const int ProtocolVersion3 = 3 << 16;
    private static readonly long PostgresEpochTicks = new DateTime(2000, 1, 1, 0, 0, 0, DateTimeKind.Utc).Ticks;

    private readonly Socket _socket;
    private readonly byte[] _feedback = new byte[5 + 34];
    private readonly Lock _sendLock = new();
    private byte[] _buffer = new byte[256 << 10];
    private int _start;
    private int _end;

    private ReplicationConnection(Socket socket) => _socket = socket;

    /// <summary>Connects and authenticates (trust only: the socket is the agent's own).</summary>
    /// <exception cref="SocketException">Nobody listens.</exception>
    /// <exception cref="ReplicationException">PostgreSQL refuses, for example because it is starting.</exception>
    public static ReplicationConnection Connect(string socketPath, string user, string applicationName)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(socketPath));
            socket.ReceiveBufferSize = 1 << 20;
            var connection = new ReplicationConnection(socket);
            connection.Send(StartupMessage(user, applicationName));
            connection.ReadUntilReady();
            return connection;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Runs a replication command that answers with rows or nothing.</summary>
    public void Execute(string command)
    {
        Send(QueryMessage(command));
        ReadUntilReady();
    }

    /// <summary>Begins streaming: afterwards <see cref="Receive"/> and <see cref="TryRead"/> bring the log.</summary>
    public void StartPhysical(string slot, Redoubt.Wal.Lsn from)
    {
        Send(QueryMessage($"START_REPLICATION SLOT {slot} PHYSICAL {from}"));
        while (true)
        {
            var (type, body) = NextBlocking();
            switch ((char)type)
            {
                case 'W':
                    return;
                case 'E':
                    throw Error(body);
            }
        }
    }

    /// <summary>Blocks until more bytes are here. False: the server closed the connection.</summary>
    public bool Receive()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end >= 5)
        {
            int whole = 1 + BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(1));
            if (whole > _buffer.Length)
            {
                Array.Resize(ref _buffer, whole);
            }
        }

        int n = _socket.Receive(_buffer.AsSpan(_end));
        _end += n;
        return n > 0;
    }

    /// <summary>The next whole message among the bytes received; valid until the next <see cref="Receive"/>.</summary>
    public bool TryRead(out byte type, out ReadOnlySpan<byte> body)
    {
        type = 0;
        body = default;
        if (_end - _start < 5)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadInt32BigEndian(_buffer.AsSpan(_start + 1));
        if (length < 4)
        {
            throw new ReplicationException("08P01", $"a message of {length} bytes is not legal");
        }

        if (_end - _start < 1 + length)
        {
            return false;
        }

        type = _buffer[_start];
        body = _buffer.AsSpan(_start + 5, length - 4);
        _start += 1 + length;
        return true;
    }

    /// <summary>Standby status update: what was received, is durable, is applied.</summary>
    public void SendFeedback(ulong written, ulong flushed, ulong applied)
    {
        lock (_sendLock)
        {
            var m = _feedback.AsSpan();
            m[0] = (byte)'d';
            BinaryPrimitives.WriteInt32BigEndian(m[1..], 4 + 34);
            m[5] = (byte)'r';
            BinaryPrimitives.WriteUInt64BigEndian(m[6..], written);
            BinaryPrimitives.WriteUInt64BigEndian(m[14..], flushed);
            BinaryPrimitives.WriteUInt64BigEndian(m[22..], applied);
            BinaryPrimitives.WriteInt64BigEndian(m[30..], (DateTime.UtcNow.Ticks - PostgresEpochTicks) / 10);
            m[38] = 0;
            SendAll(m);
        }
    }

    /// <summary>Answers the server's CopyDone at its shutdown.</summary>
    public void SendCopyDone() => Send([(byte)'c', 0, 0, 0, 4]);

    public void Dispose() => _socket.Dispose();

    /// <summary>The error that an ErrorResponse describes.</summary>
    public static ReplicationException Error(ReadOnlySpan<byte> body)
    {
        string state = "XX000";
        string message = "unknown error";
        while (body.Length > 1 && body[0] != 0)
        {
            int end = body[1..].IndexOf((byte)0);
            if (end < 0)
            {
                break;
            }

            string value = Encoding.UTF8.GetString(body.Slice(1, end));
            switch ((char)body[0])
            {
                case 'C':
                    state = value;
                    break;
                case 'M':
                    message = value;
                    break;
            }

            body = body[(end + 2)..];
        }

        return new ReplicationException(state, message);
    }

    private static byte[] StartupMessage(string user, string applicationName)
    {
        string text = $"user\0{user}\0replication\0true\0application_name\0{applicationName}\0\0";
        var message = new byte[8 + Encoding.UTF8.GetByteCount(text)];
        BinaryPrimitives.WriteInt32BigEndian(message, message.Length);
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(4), ProtocolVersion3);
        Encoding.UTF8.GetBytes(text, message.AsSpan(8));
        return message;
    }

    private static byte[] QueryMessage(string command)
    {
        var message = new byte[1 + 4 + Encoding.UTF8.GetByteCount(command) + 1];
        message[0] = (byte)'Q';
        BinaryPrimitives.WriteInt32BigEndian(message.AsSpan(1), message.Length - 1);
        Encoding.UTF8.GetBytes(command, message.AsSpan(5));
        return message;
    }

    private (byte Type, byte[] Body) NextBlocking()
    {
        while (true)
        {
            if (TryRead(out byte type, out var body))
            {
                return (type, body.ToArray());
            }

            if (!Receive())
            {
                throw new ReplicationException("08006", "PostgreSQL closed the replication connection");
            }
        }
    }

    private void ReadUntilReady()
    {
        ReplicationException? error = null;
        while (true)
        {
            var (type, body) = NextBlocking();
            switch ((char)type)
            {
                case 'R' when BinaryPrimitives.ReadInt32BigEndian(body) != 0:
                    throw new ReplicationException("28000", "PostgreSQL wants a password on the agent's own socket; pg_hba.conf must trust it");
                case 'E':
                    error = Error(body);
                    if (error.SqlState.StartsWith("57", StringComparison.Ordinal) || error.SqlState.StartsWith("28", StringComparison.Ordinal)
                        || error.SqlState.StartsWith("53", StringComparison.Ordinal))
                    {
                        throw error; // fatal: no ReadyForQuery follows
                    }

                    break;
                case 'Z':
                    if (error is not null)
                    {
                        throw error;
                    }

                    return;
            }
        }
    }

    private void Send(ReadOnlySpan<byte> message)
    {
        lock (_sendLock)
        {
            SendAll(message);
        }
    }

    private void SendAll(ReadOnlySpan<byte> message)
    {
        while (message.Length > 0)
        {
            message = message[_socket.Send(message)..];
        }
    }
}
