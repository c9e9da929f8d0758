using Microsoft.Win32.SafeHandles;
using Redoubt.Protocol;
using Redoubt.Verify;
using Redoubt.Verify.Masks;
using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Cli.Verify;

/// <summary>
/// Compares the pages that are data in the compute's files with storage's, masked as PostgreSQL masks pages when it checks redo: hint bits
/// and unused space differ by right. A page counts only when both sides are of the same LSN; pages of another LSN are looked at again
/// after a checkpoint, and what stays different because somebody goes on writing is not comparable.
/// </summary>
internal sealed class LocalComparison(string dataDir, RelationKinds kinds, GroupRouter router, Action<string> say)
{
    private const int Batch = 128;
    private const int Rounds = 4;
    private static readonly Lsn FirstRealLsn = new(0x1000000);
    private readonly string _data = Path.Combine(dataDir, "pgdata");

    /// <summary>Storage's pages at an LSN.</summary>
    internal readonly record struct Fetched(Lsn At, ReadOnlyMemory<byte> Pages, ReadOnlyMemory<byte> Found);

    /// <summary>Pages compared.</summary>
    public long Compared { get; private set; }

    /// <summary>Pages that differ at the same LSN, or that storage lacks.</summary>
    public long Mismatches { get; private set; }

    /// <summary>Pages without a log (unlogged relations, fresh pages) or never at rest.</summary>
    public long Skipped { get; private set; }

    /// <summary>Compares all, in rounds.</summary>
    /// <param name="fetch">Gets pages of one group.</param>
    /// <param name="checkpoint">Makes PostgreSQL write what it changed.</param>
    /// <param name="cancellation">Ends it early.</param>
    public async Task RunAsync(Func<int, IReadOnlyList<PageKey>, CancellationToken, Task<Fetched>> fetch, Func<Task> checkpoint, CancellationToken cancellation)
    {
        var waiting = Enumerate().ToList();
        for (int round = 1; waiting.Count > 0; round++)
        {
            var again = new List<(RelationFile File, uint Block)>();
            foreach (var group in waiting.GroupBy(page => router.GroupOf(KeyOf(page))))
            {
                foreach (var batch in group.Chunk(Batch))
                {
                    var pages = await fetch(group.Key, [.. batch.Select(KeyOf)], cancellation);
                    for (int i = 0; i < batch.Length; i++)
                    {
                        if (!Compare(batch[i], pages.Pages.Slice(i * PageRedo.PageSize, PageRedo.PageSize).Span, pages.Found.Span[i] != 0, pages.At, round == Rounds))
                        {
                            again.Add(batch[i]);
                        }
                    }
                }
            }

            waiting = again;
            if (waiting.Count > 0)
            {
                await checkpoint();
            }
        }
    }

    private static PageKey KeyOf((RelationFile File, uint Block) page) => new(page.File.Rel, page.File.Fork, page.Block);

    /// <summary>Every page that is data, not a hole, of logged relations. Free-space maps are hints and not compared.</summary>
    private IEnumerable<(RelationFile File, uint Block)> Enumerate()
    {
        foreach (var file in RelationFile.Enumerate(_data))
        {
            if (file.IsTemporary || file.Fork == Fork.FreeSpaceMap || (file.Fork != Fork.Init && kinds.Find(file.Rel) is { Logged: false }))
            {
                continue;
            }

            foreach (uint block in DataBlocks(file))
            {
                yield return (file, block);
            }
        }
    }

    private static List<uint> DataBlocks(RelationFile file)
    {
        var blocks = new List<uint>();
        using var handle = Open(file);
        if (handle is null)
        {
            return blocks;
        }

        long length = RandomAccess.GetLength(handle);
        for (long at = SparseFile.NextData(handle, 0); at >= 0 && at < length; at = SparseFile.NextData(handle, at))
        {
            long end = Math.Min(SparseFile.NextHole(handle, at), length);
            for (at = at / PageRedo.PageSize * PageRedo.PageSize; at + PageRedo.PageSize <= end; at += PageRedo.PageSize)
            {
                blocks.Add(file.FirstBlock + (uint)(at / PageRedo.PageSize));
            }

            at = Math.Max(at, end);
        }

        return blocks;
    }

    /// <summary>True when there is nothing more to say about this page.</summary>
    private bool Compare((RelationFile File, uint Block) page, ReadOnlySpan<byte> stored, bool found, Lsn at, bool last)
    {
        Span<byte> local = stackalloc byte[PageRedo.PageSize];
        if (!ReadLocal(page, local))
        {
            return Skip();
        }

        var localLsn = PageLsn(local);
        var storedLsn = PageLsn(stored);
        if (!local.ContainsAnyExcept((byte)0) || localLsn < FirstRealLsn)
        {
            // Added but never filled, or of a relation whose changes are not logged: storage knows nothing of it yet.
            return found && storedLsn >= FirstRealLsn && !last ? false : Skip();
        }

        if (localLsn > at || (found && localLsn != storedLsn))
        {
            return last && Skip();
        }

        var key = KeyOf(page);
        if (found && Equal(key, local, stored))
        {
            Compared++;
            return true;
        }

        // A visibility map changes without a new LSN, and hint bits may be half way: only what stays different counts.
        if (!last)
        {
            return false;
        }

        Compared++;
        Mismatches++;
        string name = kinds.Find(key.Rel)?.Name ?? "unknown relation";
        say(found ? $"{name} ({key}): PostgreSQL's page and storage's differ at {localLsn}" : $"{name} ({key}): PostgreSQL has it at {localLsn}, storage has no such page at {at}");
        return true;
    }

    private bool Skip()
    {
        Skipped++;
        return true;
    }

    private bool Equal(in PageKey key, ReadOnlySpan<byte> local, ReadOnlySpan<byte> stored)
    {
        Span<byte> a = stackalloc byte[PageRedo.PageSize], b = stackalloc byte[PageRedo.PageSize];
        local.CopyTo(a);
        stored.CopyTo(b);
        if (a.SequenceEqual(b))
        {
            return true;
        }

        byte rmgr = key.Fork == Fork.VisibilityMap ? RmgrId.Generic : kinds.Find(key.Rel)?.Rmgr ?? RmgrId.Generic;
        if (rmgr == RmgrId.Sequence)
        {
            // The log runs up to 32 values ahead of the page.
            return true;
        }

        try
        {
            PageMask.Apply(rmgr, a, key.Block);
            PageMask.Apply(rmgr, b, key.Block);
        }
        catch (InvalidPageException)
        {
            return false;
        }

        return a.SequenceEqual(b);
    }

    private static Lsn PageLsn(ReadOnlySpan<byte> page) => new(
        ((ulong)System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(page) << 32) | System.Buffers.Binary.BinaryPrimitives.ReadUInt32LittleEndian(page[4..]));

    private static bool ReadLocal((RelationFile File, uint Block) page, Span<byte> into)
    {
        using var handle = Open(page.File);
        return handle is not null && RandomAccess.Read(handle, into, (long)(page.Block - page.File.FirstBlock) * PageRedo.PageSize) == PageRedo.PageSize;
    }

    /// <summary>Null for a file that is gone meanwhile.</summary>
    private static SafeFileHandle? Open(RelationFile file)
    {
        try
        {
            return File.OpenHandle(file.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }
}
