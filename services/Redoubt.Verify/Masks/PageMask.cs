using Redoubt.Wal;

namespace Redoubt.Verify.Masks;

/// <summary>
/// What PostgreSQL hides from a page before it compares redo's page with the image in the record (<c>rm_mask</c>, access/rmgrlist.h):
/// one function per resource manager, the same in 17 and 18. Nothing more is hidden here.
/// </summary>
public static class PageMask
{
    /// <summary>True for resource managers whose pages <c>wal_consistency_checking</c> covers.</summary>
    public static bool Exists(byte rmgr) => rmgr is RmgrId.Heap2 or RmgrId.Heap or RmgrId.Btree or RmgrId.Hash or RmgrId.Gin
        or RmgrId.Gist or RmgrId.Sequence or RmgrId.SpGist or RmgrId.Brin or RmgrId.Generic;

    /// <summary>Masks an 8,192-byte page in place. A page of all zeros stays as it is.</summary>
    /// <exception cref="InvalidPageException">The bytes are not a page of this resource manager.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The resource manager has no mask.</exception>
    public static void Apply(byte rmgr, Span<byte> page, uint block)
    {
        if (!page.ContainsAnyExcept((byte)0))
        {
            return;
        }

        switch (rmgr)
        {
            case RmgrId.Heap2 or RmgrId.Heap:
                HeapMask.Apply(page, block);
                break;
            case RmgrId.Btree:
                IndexMasks.Btree(page);
                break;
            case RmgrId.Hash:
                IndexMasks.Hash(page);
                break;
            case RmgrId.Gin:
                IndexMasks.Gin(page);
                break;
            case RmgrId.Gist:
                IndexMasks.Gist(page);
                break;
            case RmgrId.SpGist:
                IndexMasks.SpGist(page);
                break;
            case RmgrId.Brin:
                IndexMasks.Brin(page);
                break;
            case RmgrId.Sequence or RmgrId.Generic:
                BufferMask.LsnAndChecksum(page);
                BufferMask.UnusedSpace(page);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(rmgr), rmgr, "No mask exists for this resource manager.");
        }
    }
}
