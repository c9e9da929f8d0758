using System.IO.MemoryMappedFiles;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Shipping;

/// <summary>
/// The page of memory shared with pgshim (<c>struct log_page</c> in pgshim.c): PostgreSQL's processes count their writes of the log in it, the agent
/// says which of them are durable, and until when clients may be answered.
/// </summary>
/// <remarks>All counts are modulo 2³². A process that writes the log wakes the agent only when it sleeps; the agent wakes syncs only when one may sleep.</remarks>
public sealed unsafe class LogPage : IDisposable
{
    /// <summary>Bytes of the file.</summary>
    public const int Length = 4096;

    private const uint Magic = 0x474C4452;
    private const uint Version = 1;
    private const int Writes = 64;
    private const int AgentSleeps = 68;
    private const int WrittenEndAt = 72;
    private const int Durable = 128;
    private const int Sleepers = 132;
    private const int LeaseMs = 192;

    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;
    private readonly byte* _memory;

    /// <summary>Maps a file of <see cref="Length"/> zeros and makes it a log page.</summary>
    public LogPage(string path)
    {
        _file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, mapName: null, Length);
        _view = _file.CreateViewAccessor(0, Length);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _memory);
        *(uint*)_memory = Magic;
        *(uint*)(_memory + 4) = Version;
        SetLease(1); // long over: nobody is answered before storage has confirmed the epoch
    }

    /// <summary>How often the log was written. What was written before the count was raised is in the files.</summary>
    public uint WriteCount => Volatile.Read(ref *(uint*)(_memory + Writes));

    /// <summary>End of the furthest write: the end of a page.</summary>
    public Lsn WrittenEnd => new(Volatile.Read(ref *(ulong*)(_memory + WrittenEndAt)));

    /// <summary>Sleeps while the count is <paramref name="seen"/>, at most so long; may return early.</summary>
    public void WaitForWrite(uint seen, int timeoutMs)
    {
        Volatile.Write(ref *(uint*)(_memory + AgentSleeps), 1);
        Interlocked.MemoryBarrier();
        if (WriteCount == seen)
        {
            Futex.Wait((uint*)(_memory + Writes), seen, timeoutMs);
        }

        Volatile.Write(ref *(uint*)(_memory + AgentSleeps), 0);
    }

    /// <summary>All whole records that were in the log at this count of writes are on a write quorum: syncs called until then return.</summary>
    public void SetDurable(uint count)
    {
        Volatile.Write(ref *(uint*)(_memory + Durable), count);
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref *(uint*)(_memory + Sleepers)) != 0)
        {
            Futex.WakeAll((uint*)(_memory + Durable));
        }
    }

    /// <summary>Wakes the agent's thread that sleeps in <see cref="WaitForWrite"/>; nobody writes the log any more.</summary>
    public void Interrupt()
    {
        Interlocked.Increment(ref *(uint*)(_memory + Writes));
        Futex.WakeAll((uint*)(_memory + Writes));
    }

    /// <summary>Clients may be answered until then (milliseconds of <c>CLOCK_BOOTTIME</c>).</summary>
    public void SetLease(ulong untilMs) => Volatile.Write(ref *(ulong*)(_memory + LeaseMs), untilMs);

    public void Dispose()
    {
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _file.Dispose();
    }
}
