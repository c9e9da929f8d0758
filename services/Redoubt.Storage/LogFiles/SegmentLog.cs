using System.Diagnostics;
using Redoubt.Protocol;
using Redoubt.Storage.Chain;

namespace Redoubt.Storage.LogFiles;

/// <summary>
/// One segment's log files: appending with one durable write for all frames given at once, reading by address, and
/// removal from the front. The sink learns of every durable frame.
/// </summary>
internal sealed partial class SegmentLog : IDisposable
{
    /// <summary>A writer is slowed down when so much log waits to be applied, so the apply seldom reads from the disk.</summary>
    private const int RecentBytes = 4 << 20;

    private readonly string _folder;
    private readonly int _fileSize;
    private readonly ILogSink _sink;
    private readonly StorageMetrics.SegmentCounters _metrics;
    private readonly RecentLog _recent = new(RecentBytes);
    private readonly Lock _filesLock = new();
    private readonly SortedDictionary<ulong, LogFile> _files = [];
    private readonly Queue<LogFile> _retired = new();
    private LogFile? _current;
    private Task<LogFile>? _next;
    private ulong _lastSequence;

    /// <param name="folder">Folder of its own.</param>
    /// <param name="fileSize">Bytes of a log file.</param>
    /// <param name="sink">Learns of durable frames; may be called before the constructor's caller has this instance.</param>
    /// <param name="metrics">Where durations and bytes are counted.</param>
    public SegmentLog(string folder, int fileSize, ILogSink sink, StorageMetrics.SegmentCounters metrics)
    {
        _folder = folder;
        _fileSize = fileSize;
        _sink = sink;
        _metrics = metrics;
        Directory.CreateDirectory(folder);
    }

    /// <summary>Set by drills: behave as if the disk were full.</summary>
    public bool PretendFull { get; set; }

    /// <summary>Bytes of all files, preallocated ones included.</summary>
    public long Bytes
    {
        get
        {
            lock (_filesLock)
            {
                return _files.Values.Sum(f => (long)f.Size) + _retired.Sum(f => (long)f.Size);
            }
        }
    }

    /// <summary>Opens the files, gives every good frame to <paramref name="onFrame"/> and makes sure that all of them are durable.</summary>
    /// <param name="readBytes">So much of the newest log is read, and all that has no index. Damage in older files is found when their frames are read, or by
    /// the scrub.</param>
    /// <param name="onFrame">Gets every frame, oldest file first.</param>
    /// <returns>Damage found; peers have the missing entries.</returns>
    /// <exception cref="LogFormatException">A file is of a newer format.</exception>
    public List<LogDamage> Open(long readBytes, Action<LogFrameBytes> onFrame)
    {
        foreach (string leftover in Directory.EnumerateFiles(_folder, "*.new"))
        {
            File.Delete(leftover);
        }

        foreach (string index in Directory.EnumerateFiles(_folder, "*" + LogIndex.Extension))
        {
            if (!File.Exists(Path.ChangeExtension(index, LogFile.Extension)))
            {
                File.Delete(index);
            }
        }

        var damage = new List<LogDamage>();
        var files = new List<LogFile>();
        foreach (string path in Directory.EnumerateFiles(_folder, "*" + LogFile.Extension).Order(StringComparer.Ordinal))
        {
            try
            {
                files.Add(LogFile.Open(path));
            }
            catch (LogFormatException) when (IsDamagedHeader(path))
            {
                // The whole file is out of reach; its entries come back from peers. Kept aside for people.
                damage.Add(new LogDamage(path, 0, (int)Math.Min(int.MaxValue, new FileInfo(path).Length)));
                File.Move(path, path + ".damaged", overwrite: true);
            }
        }

        byte[] buffer = new byte[files.Count == 0 ? 0 : files.Max(f => f.Size)];
        int lastUsed = files.FindLastIndex(f => HasFrames(f)), firstRead = lastUsed;
        for (long newer = 0; firstRead >= 0 && newer < readBytes; firstRead--)
        {
            newer += files[firstRead].Size;
        }

        for (int i = 0; i < files.Count; i++)
        {
            var file = files[i];
            if (i <= firstRead && LogIndex.TryRead(file))
            {
                _files.Add(file.Sequence, file);
                foreach (var frame in file.Frames)
                {
                    onFrame(new LogFrameBytes(frame.Epoch, frame.From, null, frame.End,
                        new LogAddress(file.Sequence, frame.Offset, frame.Length)));
                }

                file.Frames.Clear();
            }
            else if (i <= lastUsed)
            {
                LogIndex.Remove(file.Path);
                var found = LogScanner.Scan(file, i == lastUsed, buffer, onFrame);
                damage.AddRange(found);
                if (i == lastUsed)
                {
                    // Frames found may still be in the page cache of a process that died before its fsync.
                    NativeIo.DataSync(file.Handle);
                }

                file.SyncedTo = file.End;
                _files.Add(file.Sequence, file);
                _current = file;
                file.IsSuspect = found.Count > 0;
                if (i < lastUsed)
                {
                    Finish(file);
                }
            }
            else
            {
                _retired.Enqueue(file);
            }

            _lastSequence = Math.Max(_lastSequence, file.Sequence);
        }

        return damage;
    }

    /// <summary>Reads a frame back from the disk.</summary>
    /// <returns>Its bytes, undamaged, or null when they fail their CRC or the file is gone.</returns>
    public byte[]? Read(LogAddress at)
    {
        byte[] bytes = [];
        return TryRead(at, ref bytes, fromMemory: false) ? bytes : null;
    }

    /// <summary>Reads a frame into a buffer, which grows when it is too small.</summary>
    /// <param name="at">Where it is.</param>
    /// <param name="buffer">Gets it.</param>
    /// <param name="fromMemory">Take it from memory when it was written lately; else what is read is what the disk holds.</param>
    /// <returns>False when the frame fails its CRC or its file is gone.</returns>
    public bool TryRead(LogAddress at, ref byte[] buffer, bool fromMemory)
    {
        LogFile? file;
        lock (_filesLock)
        {
            _files.TryGetValue(at.File, out file);
        }

        if (file is null || at.Offset + at.Length > file.Size)
        {
            return false;
        }

        if (buffer.Length < at.Length)
        {
            buffer = GC.AllocateUninitializedArray<byte>(at.Length);
        }

        var bytes = buffer.AsSpan(0, at.Length);
        try
        {
            if (fromMemory && file.RecentBase is { } recent && _recent.TryRead(recent + at.Offset, bytes))
            {
                return LogFrame.Parse(bytes).Bytes.Length == bytes.Length;
            }

            int read = 0;
            while (read < bytes.Length)
            {
                int n = RandomAccess.Read(file.Handle, bytes[read..], at.Offset + read);
                if (n == 0)
                {
                    return false;
                }

                read += n;
            }

            return LogFrame.Parse(bytes).Bytes.Length == bytes.Length;
        }
        catch (Exception e) when (e is LogFrameException or IOException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Files at the front, oldest first, without the one being written: sequence, size, highest entry end.</summary>
    public List<(ulong Sequence, int Size, ulong MaxEnd)> Finished()
    {
        lock (_filesLock)
        {
            return [.. _files.Values.Where(f => f != _current).Select(f => (f.Sequence, f.Size, f.MaxEnd))];
        }
    }

    /// <summary>Removes all files up to and including a sequence; a few are kept to be written again.</summary>
    public void RemoveUpTo(ulong sequence)
    {
        lock (_filesLock)
        {
            foreach (var file in _files.Values.Where(f => f.Sequence <= sequence && f != _current).ToArray())
            {
                _files.Remove(file.Sequence);
                Retire(file);
            }
        }
    }

    /// <summary>A frame of a file turned out damaged: the next start reads the whole file.</summary>
    public void Distrust(ulong sequence)
    {
        lock (_filesLock)
        {
            if (_files.TryGetValue(sequence, out var file))
            {
                file.IsSuspect = true;
                LogIndex.Remove(file.Path);
            }
        }
    }

    /// <summary>Path of a file, for messages.</summary>
    public string PathOf(ulong sequence) => Path.Combine(_folder, LogFile.NameOf(sequence));

    /// <summary>Covers a damaged range, whose entries are stored again elsewhere, so that it is not found again.</summary>
    public void Fill(LogDamage damage)
    {
        lock (_filesLock)
        {
            var file = _files.Values.FirstOrDefault(f => f.Path == damage.Path);
            if (file is not null)
            {
                file.IsSuspect = true;
                LogIndex.Remove(file.Path);
            }

            if (file is null || damage.Offset < LogFile.HeaderLength || damage.Length < LogEnvelope.Length + 8)
            {
                return;
            }

            Span<byte> envelope = stackalloc byte[LogEnvelope.Length];
            new LogEnvelope(damage.Length - LogEnvelope.Length, file.Sequence, damage.Offset, damage.Offset, IsFiller: true).Write(envelope);
            RandomAccess.Write(file.Handle, envelope, damage.Offset);
            NativeIo.DataSync(file.Handle);
            file.TailChanged = true;
        }
    }

    private void Retire(LogFile file)
    {
        if (_retired.Count < 2 && file.Size == _fileSize)
        {
            _retired.Enqueue(file);
            return;
        }

        LogIndex.Remove(file.Path);
        File.Delete(file.Path);
        file.Dispose();
    }

    /// <summary>A file is not written any more: what is known of it goes from memory into its index.</summary>
    private static void Finish(LogFile file)
    {
        if (!file.IsSuspect)
        {
            LogIndex.Write(file);
        }

        file.Frames.Clear();
        file.Frames.TrimExcess();
    }

    private static bool IsDamagedHeader(string path)
    {
        try
        {
            LogFile.Open(path).Dispose();
            return false;
        }
        catch (LogFormatException e)
        {
            return e.Message.Contains("damaged", StringComparison.Ordinal);
        }
    }

    private static bool HasFrames(LogFile file)
    {
        // The first frame of a file always stands right after the header; a damaged one is still recognised by any envelope after it.
        var probe = new byte[64 << 10];
        for (long at = LogFile.HeaderLength; at < file.Size; at += probe.Length - LogEnvelope.Length)
        {
            int read = RandomAccess.Read(file.Handle, probe, at);
            for (int i = 0; i + LogEnvelope.Length <= read; i += 8)
            {
                if (LogEnvelope.TryRead(probe.AsSpan(i), file.Sequence, (int)at + i, out _))
                {
                    return true;
                }
            }

            if (at == LogFile.HeaderLength && !probe.AsSpan(0, Math.Max(read, 1)).ContainsAnyExcept((byte)0))
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>The next file to write: prepared ahead, else recycled, else made now. Only here and in the one task at <see cref="_next"/>, never in both at
    /// once, are files made, so no two makers use one name.</summary>
    private LogFile NextFile()
    {
        ulong sequence = ++_lastSequence;
        if (Interlocked.Exchange(ref _next, null) is { } next)
        {
            try
            {
                return next.GetAwaiter().GetResult();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Made below, with an error of its own if it fails again.
            }
        }

        return MakeFile(sequence);
    }

    private LogFile MakeFile(ulong sequence)
    {
        LogFile? old;
        lock (_filesLock)
        {
            _retired.TryDequeue(out old);
        }

        if (old is not null && old.Size == _fileSize)
        {
            old.Recycle(_folder, sequence);
            return old;
        }

        return LogFile.Create(_folder, sequence, _fileSize);
    }

    private void Rotate(int footprint)
    {
        if (footprint > _fileSize - LogFile.HeaderLength)
        {
            throw new InvalidOperationException($"a frame that takes {footprint} bytes does not fit a log file of {_fileSize}");
        }

        long began = Stopwatch.GetTimestamp();
        var file = NextFile();
        lock (_filesLock)
        {
            if (_current is { } finished)
            {
                Finish(finished);
            }

            _files[file.Sequence] = file;
            _current = file;
        }

        ulong following = _lastSequence + 1;
        _next = Task.Run(() => MakeFile(following));
        _metrics.Rotated(Stopwatch.GetElapsedTime(began));
    }
}
