using Redoubt.Protocol;
using Redoubt.Storage.Chain;

namespace Redoubt.Storage.LogFiles;

/// <summary>A frame on its way into the log: checked, its entries marked, not yet durable.</summary>
internal sealed class PendingAppend
{
    private PendingAppend(ReadOnlyMemory<byte> bytes, ulong epoch, ulong from, EntryMark[] marks, Segments.AppendSession? session)
    {
        Bytes = bytes;
        Epoch = epoch;
        From = from;
        Marks = marks;
        Session = session;
    }

    public ReadOnlyMemory<byte> Bytes { get; }

    public ulong Epoch { get; }

    /// <summary>PrevEnd of the first entry.</summary>
    public ulong From { get; }

    public EntryMark[] Marks { get; }

    /// <summary>The writer's stream that brought it; null: a peer did.</summary>
    public Segments.AppendSession? Session { get; }

    /// <summary>Set when it was durable but contradicted the chain.</summary>
    public Exception? Refusal { get; set; }

    /// <summary>Timestamp of its arrival (Stopwatch ticks).</summary>
    public long ArrivedAt { get; } = System.Diagnostics.Stopwatch.GetTimestamp();

    /// <summary>Where it lies once written.</summary>
    public LogAddress At { get; set; }

    /// <summary>Checks a frame down to every entry's CRC.</summary>
    /// <exception cref="LogFrameException">It is damaged, or bytes follow it.</exception>
    public static PendingAppend Parse(ReadOnlyMemory<byte> bytes, Segments.AppendSession? session)
    {
        var frame = LogFrame.Parse(bytes.Span);
        if (frame.Bytes.Length != bytes.Length)
        {
            throw new LogFrameException($"{bytes.Length - frame.Bytes.Length} bytes follow the log frame that ends at {frame.End}");
        }

        return new PendingAppend(bytes, frame.Epoch, frame.PrevEnd.Value, MarksOf(frame), session);
    }

    /// <summary>All entries of a frame.</summary>
    /// <exception cref="LogFrameException">An entry is damaged.</exception>
    public static EntryMark[] MarksOf(LogFrame frame)
    {
        // The count is the sender's word: an entry takes at least 9 bytes.
        if (frame.Count > frame.Bytes.Length / 9)
        {
            throw new LogFrameException($"log frame that ends at {frame.End} claims {frame.Count} entries in {frame.Bytes.Length} bytes");
        }

        var marks = new EntryMark[frame.Count];
        int count = 0;
        foreach (var entry in frame.Entries)
        {
            marks[count++] = new EntryMark(entry.Start.Value, entry.End.Value, entry.Kind.EndsRecord());
        }

        return marks;
    }
}
