using System.Buffers.Binary;
using Redoubt.Storage.Chain;
using Redoubt.Wal;

namespace Redoubt.Storage.LogFiles;

/// <summary>
/// What a finished log file holds, in a small file beside it, so that a start does not read all log again. It is a help, never needed: whatever is
/// wrong with it, the log file is read instead. It goes when damage is found in its log file, or repaired.
/// </summary>
/// <remarks>
/// Little-endian: magic <c>RED_IDX2</c>, u64 file sequence, u32 file size, u32 end of the last frame, u32 number of frames; per frame u64 epoch, from,
/// end, start and end of the last record that ends in it, u32 offset, length; u32 CRC-32C of all before.
/// </remarks>
internal static class LogIndex
{
    public const string Extension = ".frames";
    private const ulong Magic = 0x325844495F444552; // "RED_IDX2"
    private const int HeaderLength = 28;
    private const int FrameLength = 48;

    /// <summary>The index's path.</summary>
    public static string PathOf(string logPath) => Path.ChangeExtension(logPath, Extension);

    /// <summary>Writes the index of a file that is not written any more; not being able to is no failure.</summary>
    public static void Write(LogFile file)
    {
        var bytes = new byte[HeaderLength + (FrameLength * file.Frames.Count) + 4];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), file.Sequence);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), file.Size);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(20), file.End);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(24), file.Frames.Count);
        var to = bytes.AsSpan(HeaderLength);
        foreach (var frame in file.Frames)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(to, frame.Epoch);
            BinaryPrimitives.WriteUInt64LittleEndian(to[8..], frame.From);
            BinaryPrimitives.WriteUInt64LittleEndian(to[16..], frame.End.To);
            BinaryPrimitives.WriteUInt64LittleEndian(to[24..], frame.End.RecordStart);
            BinaryPrimitives.WriteUInt64LittleEndian(to[32..], frame.End.RecordEnd);
            BinaryPrimitives.WriteInt32LittleEndian(to[40..], frame.Offset);
            BinaryPrimitives.WriteInt32LittleEndian(to[44..], frame.Length);
            to = to[FrameLength..];
        }

        BinaryPrimitives.WriteUInt32LittleEndian(to, Crc32C.Compute(bytes.AsSpan(..^4)));
        try
        {
            File.WriteAllBytes(PathOf(file.Path), bytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Remove(file.Path);
        }
    }

    /// <summary>Takes a file's frames and end from its index.</summary>
    /// <returns>False when there is none, or it is not this file's; the file is as before.</returns>
    public static bool TryRead(LogFile file)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(PathOf(file.Path));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }

        if (bytes.Length < HeaderLength + 4
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes) != Magic
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8)) != file.Sequence
            || BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(16)) != file.Size
            || BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(24)) is var count && bytes.Length != HeaderLength + ((long)FrameLength * count) + 4
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(^4..)) != Crc32C.Compute(bytes.AsSpan(..^4)))
        {
            return false;
        }

        for (ReadOnlySpan<byte> from = bytes.AsSpan(HeaderLength); from.Length > 4; from = from[FrameLength..])
        {
            var frame = new IndexedFrame(
                BinaryPrimitives.ReadUInt64LittleEndian(from),
                BinaryPrimitives.ReadUInt64LittleEndian(from[8..]),
                new ChainEnd(
                    BinaryPrimitives.ReadUInt64LittleEndian(from[16..]),
                    BinaryPrimitives.ReadUInt64LittleEndian(from[24..]),
                    BinaryPrimitives.ReadUInt64LittleEndian(from[32..])),
                BinaryPrimitives.ReadInt32LittleEndian(from[40..]),
                BinaryPrimitives.ReadInt32LittleEndian(from[44..]));
            file.Add(frame);
        }

        file.End = file.SyncedTo = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(20));
        return true;
    }

    /// <summary>Removes a log file's index, if there is one.</summary>
    public static void Remove(string logPath) => File.Delete(PathOf(logPath));
}
