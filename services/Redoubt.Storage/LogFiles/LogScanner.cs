using Redoubt.Protocol;
using Redoubt.Storage.Chain;

namespace Redoubt.Storage.LogFiles;

/// <summary>Reads a log file from end to end: the good frames, and the places where good frames should be and are not.</summary>
internal static class LogScanner
{
    /// <summary>Calls <paramref name="onFrame"/> for every undamaged frame, in order, and sets the file's end after the last.</summary>
    /// <param name="file">The file.</param>
    /// <param name="isLast">No later file holds frames: a bad tail may be a write that a crash tore.</param>
    /// <param name="buffer">At least the file's size.</param>
    /// <param name="onFrame">Gets the frame, its entries and its place.</param>
    /// <returns>Damage: bad bytes that a later write, or a later file, proves to have been fsynced.</returns>
    public static List<LogDamage> Scan(LogFile file, bool isLast, byte[] buffer, Action<LogFrameBytes> onFrame)
    {
        var bytes = buffer.AsMemory(0, file.Size);
        int read = 0;
        while (read < file.Size)
        {
            int n = RandomAccess.Read(file.Handle, bytes.Span[read..], read);
            if (n == 0)
            {
                break;
            }

            read += n;
        }

        bytes.Span[read..].Clear();
        var damage = new List<LogDamage>();
        var open = new List<(int From, int To)>();
        int at = LogFile.HeaderLength, bad = -1;
        file.End = at;
        while (at + LogEnvelope.Length <= file.Size)
        {
            if (LogEnvelope.TryRead(bytes.Span[at..], file.Sequence, at, out var filler) && filler.IsFiller
                && filler.FrameLength <= file.Size - at - LogEnvelope.Length)
            {
                if (bad >= 0)
                {
                    open.Add((bad, at));
                    bad = -1;
                }

                at += LogEnvelope.Footprint(filler.FrameLength);
                file.End = at;
                continue;
            }

            if (!TryFrame(file, bytes, at, out var frame, out var envelope))
            {
                bad = bad < 0 ? at : bad;
                at += 8;
                continue;
            }

            if (bad >= 0)
            {
                open.Add((bad, at));
                bad = -1;
            }

            // What stood below this write's fsync mark was durable: bad bytes there are damage, not a torn batch.
            open.RemoveAll(range =>
            {
                bool proven = range.From < envelope.SyncedTo;
                if (proven)
                {
                    damage.Add(new LogDamage(file.Path, range.From, range.To - range.From));
                }

                return proven;
            });
            onFrame(frame);
            file.Add(new IndexedFrame(frame.Epoch, frame.From, frame.End, frame.At.Offset, frame.At.Length));
            at += LogEnvelope.Footprint(envelope.FrameLength);
            file.End = at;
        }

        if (!isLast)
        {
            damage.AddRange(open.Select(range => new LogDamage(file.Path, range.From, range.To - range.From)));
            if (TailIsDamaged(file, bytes.Span))
            {
                damage.Add(new LogDamage(file.Path, file.End, file.Size - file.End));
            }
        }

        return damage;
    }

    /// <summary>In a finished file the bytes after the last frame begin no envelope of this file, unless that envelope's frame is damaged.</summary>
    private static bool TailIsDamaged(LogFile file, ReadOnlySpan<byte> bytes)
    {
        for (int at = file.End; at + LogEnvelope.Length <= file.Size; at += 8)
        {
            if (LogEnvelope.TryRead(bytes[at..], file.Sequence, at, out _))
            {
                return true;
            }
        }

        return false;
    }

    private static bool TryFrame(LogFile file, ReadOnlyMemory<byte> bytes, int at, out LogFrameBytes frame, out LogEnvelope envelope)
    {
        frame = default;
        if (!LogEnvelope.TryRead(bytes.Span[at..], file.Sequence, at, out envelope)
            || envelope.FrameLength > file.Size - at - LogEnvelope.Length)
        {
            return false;
        }

        var raw = bytes.Slice(at + LogEnvelope.Length, envelope.FrameLength);
        try
        {
            var parsed = LogFrame.Parse(raw.Span);
            if (parsed.Bytes.Length != raw.Length)
            {
                return false;
            }

            var marks = PendingAppend.MarksOf(parsed);
            frame = new LogFrameBytes(parsed.Epoch, parsed.PrevEnd.Value, marks, ChainEnd.Of(marks),
                new LogAddress(file.Sequence, at + LogEnvelope.Length, raw.Length));
            return true;
        }
        catch (LogFrameException)
        {
            return false;
        }
    }
}
