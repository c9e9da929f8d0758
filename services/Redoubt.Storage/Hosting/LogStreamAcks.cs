using System.Net.Sockets;
using Redoubt.Protocol;
using Redoubt.Storage.LogFiles;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>Writes a stream's acknowledgements straight to its socket, on the thread that has something to acknowledge. An acknowledgement that finds
/// the socket full is left out: the next one says more. A writer that stopped reading never holds a thread.</summary>
internal sealed class LogStreamAcks(Segment segment, AppendSession session, Socket socket, DrillState drills) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly byte[] _ack = new byte[LogStream.AckLength];
    private bool _closed;
    private int _unsent;
    private ulong _sentScl;
    private ulong _clock;

    /// <summary>The writer's clock in its newest batch.</summary>
    public ulong Clock { set => Volatile.Write(ref _clock, value); }

    /// <summary>Makes the stream's thread end, whatever it waits for.</summary>
    public static void Break(Socket socket)
    {
        try
        {
            socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // it has ended
        }
    }

    public void Send()
    {
        if (session.Failure is not null || drills.Partitioned)
        {
            Break(socket);
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

    /// <summary>Nothing is sent from now on: the socket's number may soon be another's.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }

    private void SendNow()
    {
        // Before the epoch is looked at: the epoch held at that time of the writer's or later.
        ulong clock = Volatile.Read(ref _clock);
        var (epoch, scl, applied, _) = segment.Position(session);
        lock (_lock)
        {
            if (_closed)
            {
                return;
            }

            if (_unsent > 0)
            {
                // Half an acknowledgement is on its way: its other half first.
                _unsent -= Sent(_ack.AsSpan(LogStream.AckLength - _unsent));
                if (_unsent > 0)
                {
                    return;
                }
            }

            if (epoch == session.Epoch && scl < _sentScl)
            {
                return; // another thread has said more already
            }

            _sentScl = scl;
            LogStream.WriteAck(_ack, scl, applied, epoch, clock);
            int sent = Sent(_ack);
            _unsent = sent == 0 ? 0 : LogStream.AckLength - sent;
        }
    }

    private int Sent(ReadOnlySpan<byte> bytes)
    {
        int sent = NativeIo.SendNow(socket, bytes);
        if (sent < 0)
        {
            Break(socket);
        }

        return Math.Max(sent, 0);
    }
}
