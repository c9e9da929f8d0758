namespace Redoubt.Storage.LogFiles;

/// <summary>The newest log in memory, for those who read it right after it was written: what is written past the page cache would come from the disk.
/// Thread-safe.</summary>
/// <param name="capacity">Bytes.</param>
internal sealed class RecentLog(int capacity)
{
    private readonly Lock _gate = new();
    private readonly byte[] _ring = GC.AllocateUninitializedArray<byte>(capacity);
    private long _end;

    /// <summary>Takes the next bytes; returns the position of the first, counted over all that ever came.</summary>
    public long Add(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            long at = _end;
            _end += bytes.Length;
            int skip = Math.Max(0, bytes.Length - capacity);
            for (long to = at + skip; to < _end;)
            {
                int place = (int)(to % capacity);
                int n = (int)Math.Min(_end - to, capacity - place);
                bytes.Slice((int)(to - at), n).CopyTo(_ring.AsSpan(place));
                to += n;
            }

            return at;
        }
    }

    /// <summary>Copies bytes that came from a position on; false when not all of them are there.</summary>
    public bool TryRead(long at, Span<byte> destination)
    {
        lock (_gate)
        {
            if (at < 0 || at + destination.Length > _end || at < _end - capacity)
            {
                return false;
            }

            for (int done = 0; done < destination.Length;)
            {
                int place = (int)((at + done) % capacity);
                int n = Math.Min(destination.Length - done, capacity - place);
                _ring.AsSpan(place, n).CopyTo(destination[done..]);
                done += n;
            }

            return true;
        }
    }
}
