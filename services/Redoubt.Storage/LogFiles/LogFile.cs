using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Redoubt.Wal;

namespace Redoubt.Storage.LogFiles;

/// <summary>One preallocated log file: a 4096-byte header, then enveloped frames. See docs/storage.md for the layout.</summary>
internal sealed class LogFile : IDisposable
{
    public const int HeaderLength = 4096;
    public const string Extension = ".log";
    private const ulong Magic = 0x31474F4C5F444552; // "RED_LOG1"
    private const uint FormatVersion = 1;

    private LogFile(string path, ulong sequence, SafeFileHandle handle, int size)
    {
        Path = path;
        Sequence = sequence;
        Handle = handle;
        Size = size;
    }

    public string Path { get; private set; }

    public ulong Sequence { get; private set; }

    public SafeFileHandle Handle { get; }

    /// <summary>Bytes, all of them allocated.</summary>
    public int Size { get; }

    /// <summary>Where the next envelope goes.</summary>
    public int End { get; set; } = HeaderLength;

    /// <summary>Everything below is fsynced.</summary>
    public int SyncedTo { get; set; } = HeaderLength;

    /// <summary>Of its offset 0 in <see cref="RecentLog"/>; null when nothing was written to it since the start.</summary>
    public long? RecentBase { get; set; }

    /// <summary>Somebody else than its writer has changed bytes near its end.</summary>
    public volatile bool TailChanged;

    /// <summary>Highest end of any entry in it.</summary>
    public ulong MaxEnd { get; private set; }

    /// <summary>Its good frames, in order, until it is finished and they are in its index.</summary>
    public List<IndexedFrame> Frames { get; } = [];

    /// <summary>A write to it failed, or a frame in it is bad: what <see cref="Frames"/> says is not to be trusted.</summary>
    public bool IsSuspect { get; set; }

    public static string NameOf(ulong sequence) => $"{sequence:x16}{Extension}";

    /// <summary>A frame is in the file.</summary>
    public void Add(in IndexedFrame frame)
    {
        Frames.Add(frame);
        MaxEnd = Math.Max(MaxEnd, frame.End.To);
    }

    /// <summary>Makes a file of zeros with its header, durable, name included.</summary>
    /// <remarks>Written a block at a time: a large write makes large folios in the page cache, all of which each small write and sync later walks over.</remarks>
    public static LogFile Create(string folder, ulong sequence, int size)
    {
        string path = System.IO.Path.Combine(folder, NameOf(sequence));
        string temporary = path + ".new";
        var handle = File.OpenHandle(temporary, FileMode.Create, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            var block = new byte[HeaderLength];
            WriteHeader(block, sequence, size);
            for (int at = 0; at < size; at += block.Length)
            {
                RandomAccess.Write(handle, block.AsSpan(0, Math.Min(block.Length, size - at)), at);
                if (at == 0)
                {
                    block.AsSpan().Clear();
                }
            }

            RandomAccess.FlushToDisk(handle);
            File.Move(temporary, path, overwrite: true);
            NativeIo.SyncDirectory(folder);
            NativeIo.DropCache(handle); // it is written past the page cache
            return new LogFile(path, sequence, handle, size);
        }
        catch
        {
            handle.Dispose();
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Gives an old file a new life: its frames become invalid because their envelopes name the old sequence.</summary>
    public void Recycle(string folder, ulong sequence)
    {
        var header = new byte[HeaderLength];
        WriteHeader(header, sequence, Size);
        RandomAccess.Write(Handle, header, 0);
        NativeIo.DataSync(Handle);
        LogIndex.Remove(Path);
        string path = System.IO.Path.Combine(folder, NameOf(sequence));
        File.Move(Path, path, overwrite: true);
        NativeIo.SyncDirectory(folder);
        Path = path;
        Sequence = sequence;
        End = SyncedTo = HeaderLength;
        MaxEnd = 0;
        RecentBase = null;
        Frames.Clear();
        IsSuspect = false;
    }

    /// <summary>Opens a file that is there.</summary>
    /// <exception cref="LogFormatException">Its header is damaged, foreign or of a newer format.</exception>
    public static LogFile Open(string path)
    {
        var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            Span<byte> header = stackalloc byte[32];
            int read = RandomAccess.Read(handle, header, 0);
            long size = RandomAccess.GetLength(handle);
            if (read < 32 || BinaryPrimitives.ReadUInt64LittleEndian(header) != Magic
                || BinaryPrimitives.ReadUInt32LittleEndian(header[28..]) != Crc32C.Compute(header[..28]))
            {
                throw new LogFormatException($"the header of log file {path} is damaged");
            }

            uint format = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
            if (format > FormatVersion)
            {
                throw new LogFormatException($"log file {path} has format {format}; this program reads up to {FormatVersion}: use a newer one");
            }

            return new LogFile(path, BinaryPrimitives.ReadUInt64LittleEndian(header[16..]), handle, checked((int)size));
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    public void Dispose() => Handle.Dispose();

    private static void WriteHeader(Span<byte> destination, ulong sequence, int size)
    {
        destination[..HeaderLength].Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(destination, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[8..], FormatVersion);
        BinaryPrimitives.WriteInt32LittleEndian(destination[12..], size);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], sequence);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[28..], Crc32C.Compute(destination[..28]));
    }
}
