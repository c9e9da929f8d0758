using System.Net.Sockets;

namespace Redoubt.Protocol.Sockets;

/// <summary>What makes a TCP connection end when the other machine has gone without a word: the kernel asks an idle peer, and gives up one that acknowledges
/// nothing. Without it a thread that reads such a connection waits for ever.</summary>
public static class TcpLiveness
{
    /// <summary>A vanished peer's connection ends after this time at the latest (seconds).</summary>
    public const int DeadAfterSeconds = IdleSeconds + (Probes * IntervalSeconds);

    /// <summary>Idle for so long, the peer is asked (seconds).</summary>
    public const int IdleSeconds = 10;

    /// <summary>Between two questions (seconds).</summary>
    public const int IntervalSeconds = 5;

    /// <summary>Questions without an answer before the connection ends.</summary>
    public const int Probes = 4;

    /// <summary><c>TCP_USER_TIMEOUT</c>, netinet/tcp.h.</summary>
    public const int UserTimeoutOption = 18;

    private const int LevelTcp = 6;

    /// <summary>Switches it on; no request waits for a fuller packet either.</summary>
    public static void Apply(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, IdleSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, IntervalSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, Probes);

        // Keepalive says nothing while sent bytes are unacknowledged: then this does.
        Span<byte> milliseconds = stackalloc byte[4];
        BitConverter.TryWriteBytes(milliseconds, DeadAfterSeconds * 1000);
        socket.SetRawSocketOption(LevelTcp, UserTimeoutOption, milliseconds);
    }
}
