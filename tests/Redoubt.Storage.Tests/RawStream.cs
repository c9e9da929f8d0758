using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Redoubt.Protocol;

namespace Redoubt.Storage.Tests;

/// <summary>The other end of a raw stream, or of anything else on a storage process's port.</summary>
internal static class RawStream
{
    public static Socket Connect(TestVolume volume, int receiveTimeoutMs = 30_000) => Connect(volume.Server(0).GrpcEndpoint.Port, receiveTimeoutMs);

    public static Socket Connect(int port, int receiveTimeoutMs = 30_000)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = receiveTimeoutMs };
        socket.Connect(IPAddress.Loopback, port);
        return socket;
    }

    /// <summary>A log stream whose first acknowledgement has come: it is served.</summary>
    public static Socket OpenLog(TestVolume volume, ulong epoch, string secret = "")
    {
        var socket = Connect(volume);
        socket.Send(new StreamHello(LogStream.Magic, volume.Volume, 0, epoch, secret).Encode());
        Acked(socket, 0);
        return socket;
    }

    public static byte[] Batch(byte[] frame)
    {
        byte[] batch = new byte[LogStream.BatchHeaderLength + frame.Length];
        LogStream.WriteBatchHeader(batch, 0, 0, 0, 0, frame.Length);
        frame.CopyTo(batch, LogStream.BatchHeaderLength);
        return batch;
    }

    /// <summary>Reads acknowledgements until one reaches a position.</summary>
    public static ulong Acked(Socket socket, ulong end)
    {
        var ack = new byte[LogStream.AckLength];
        while (true)
        {
            for (int have = 0; have < ack.Length;)
            {
                int n = socket.Receive(ack.AsSpan(have));
                Assert.NotEqual(0, n);
                have += n;
            }

            ulong scl = BinaryPrimitives.ReadUInt64LittleEndian(ack);
            if (scl >= end)
            {
                return scl;
            }
        }
    }

    /// <summary>True when the other side closes it within the socket's receive timeout.</summary>
    public static bool IsClosed(Socket socket)
    {
        var buffer = new byte[4096];
        long began = Stopwatch.GetTimestamp();
        try
        {
            while (socket.Receive(buffer) > 0)
            {
                if (Stopwatch.GetElapsedTime(began).TotalMilliseconds > socket.ReceiveTimeout)
                {
                    return false;
                }
            }

            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown;
        }
    }
}
