using System.Buffers.Binary;
using System.Net.Sockets;
using Redoubt.Protocol;
using Redoubt.Storage.LogFiles;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Hosting;

/// <summary>
/// A writer's log stream (<see cref="LogStream"/>). One thread does everything that a commit waits for: it receives what has come, writes it with one write
/// and one <c>fdatasync</c>, and acknowledges. What comes meanwhile waits in the socket for the next round.
/// </summary>
internal static class LogStreamHandler
{
    /// <summary>A new compute waits until all log is applied: so much of it (bytes) may wait, then the writer is slowed down.</summary>
    private const ulong MaxApplyLag = 4 << 20;
    private const int MaxPauseMs = 50;

    /// <summary>Serves the stream until it ends.</summary>
    public static void Run(Socket socket, Segment segment, ulong epoch, DrillState drills)
    {
        var reader = new LogStreamReader(socket);
        var session = segment.OpenAppend(epoch);
        using var acks = new LogStreamAcks(segment, session, socket, drills);
        try
        {
            session.OnWake = acks.Send;
            acks.Send();
            var frames = new List<PendingAppend>();
            while (reader.Receive())
            {
                bool any = false;
                ulong vdl = 0, groupVdl = 0, gcHorizon = 0;
                while (reader.TryReadBatch(out var header, out var frame))
                {
                    any = true;
                    vdl = BinaryPrimitives.ReadUInt64LittleEndian(header);
                    groupVdl = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
                    gcHorizon = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
                    acks.Clock = BinaryPrimitives.ReadUInt64LittleEndian(header[24..]);
                    if (frame.Length > 0)
                    {
                        frames.Add(PendingAppend.Parse(frame, session));
                    }
                }

                if (any)
                {
                    segment.Hear(session, vdl, groupVdl, gcHorizon);
                }

                if (frames.Count > 0)
                {
                    segment.Log.Append(frames); // acknowledges by way of the session
                    frames.Clear();
                    segment.AwaitApply(session, MaxApplyLag, MaxPauseMs);
                }
                else if (any)
                {
                    acks.Send();
                }
            }
        }
        finally
        {
            session.OnWake = null;
            segment.CloseAppend(session);
        }
    }
}
