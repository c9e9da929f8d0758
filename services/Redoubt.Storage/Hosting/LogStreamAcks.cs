using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Redoubt.Protocol;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>Writes a stream's acknowledgements straight to its socket, on the thread that has something to acknowledge. An acknowledgement that finds
/// the socket full is left out: the next one says more.</summary>
internal sealed class LogStreamAcks(Segment segment, AppendSession session, Socket socket, ConnectionContext connection, DrillState drills)
{
    private readonly Lock _lock = new();
    private readonly byte[] _ack = new byte[LogStream.AckLength];
    private int _unsent;
    private ulong _sentScl;

    public void Send()
    {
        if (session.Failure is not null || drills.Partitioned)
        {
            connection.Abort();
        }
        else if (drills.DelayMs is > 0 and int delay)
        {
            _ = Task.Delay(delay).ContinueWith(_ => SendNow(), TaskScheduler.Default);
        }
        else
        {
            SendNow();
        }
    }

    private void SendNow()
    {
        var reply = segment.Reply(session);
        lock (_lock)
        {
            try
            {
                if (_unsent > 0)
                {
                    // Half an acknowledgement is on its way: its other half first.
                    _unsent -= socket.Send(_ack.AsSpan(LogStream.AckLength - _unsent), SocketFlags.None, out _);
                    if (_unsent > 0)
                    {
                        return;
                    }
                }

                if (reply.Epoch == session.Epoch && reply.Scl < _sentScl)
                {
                    return; // another thread has said more already
                }

                _sentScl = reply.Scl;
                LogStream.WriteAck(_ack, reply.Scl, reply.Applied, reply.Epoch, reply.DurableEnd);
                int sent = socket.Send(_ack, SocketFlags.None, out var error);
                _unsent = error == SocketError.Success ? LogStream.AckLength - sent : 0;
                if (error is not (SocketError.Success or SocketError.WouldBlock))
                {
                    connection.Abort();
                }
            }
            catch (ObjectDisposedException)
            {
                // the connection is gone
            }
        }
    }
}
