using Redoubt.Wal.Redo;

namespace Redoubt.Wal;

/// <summary>The redo engine: page before + change = page after, byte for byte as PostgreSQL's redo would leave it
/// (but for what PostgreSQL itself masks when it compares).</summary>
/// <remarks>
/// A change with an image is restored (Redo/PageImage.cs); any other goes to the redo of its resource manager, one class each in the
/// folder Redo. Every offset in page and change is checked there: hostile bytes end in a <see cref="RedoException"/>.
/// </remarks>
public static class PageRedo
{
    /// <summary>Bytes of a page (<c>BLCKSZ</c>).</summary>
    public const int PageSize = 8192;

    /// <summary>Applies a change in place. A page that did not exist before is all zero.</summary>
    /// <exception cref="RedoException">The page is not one this change can apply to. The page's bytes are then unspecified.</exception>
    /// <exception cref="ArgumentException">The span is not 8,192 bytes long.</exception>
    public static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        RequirePage(page.Length);
        if ((change.Flags & BlockChangeFlags.ApplyImage) != 0)
        {
            PageImage.Restore(change, page);

            // XLogReadBufferForRedoExtended: an uninitialised page stays all zero.
            if (!BufPage.IsNew(page))
            {
                BufPage.SetLsn(page, change.Lsn);
                if (change.Rmgr == RmgrId.Gist)
                {
                    GistRedo.AfterImage(change, page);
                }
            }

            return;
        }

        switch (change.Rmgr)
        {
            case BlockChange.Implicit:
                ImplicitRedo.Apply(change, page);
                break;
            case RmgrId.Heap:
                HeapRedo.Apply(change, page);
                break;
            case RmgrId.Heap2:
                Heap2Redo.Apply(change, page);
                break;
            case RmgrId.Sequence:
                SequenceRedo.Apply(change, page);
                break;
            case RmgrId.Btree:
                BtreeRedo.Apply(version, change, page);
                break;
            case RmgrId.Hash:
                HashRedo.Apply(version, change, page);
                break;
            case RmgrId.Gin:
                GinRedo.Apply(version, change, page);
                break;
            case RmgrId.Gist:
                GistRedo.Apply(version, change, page);
                break;
            case RmgrId.SpGist:
                SpGistRedo.Apply(version, change, page);
                break;
            case RmgrId.Brin:
                BrinRedo.Apply(version, change, page);
                break;
            case RmgrId.Generic:
                GenericRedo.Apply(version, change, page);
                break;
            default:
                BufPage.Fail(change, "this resource manager has no page redo");
                break;
        }
    }

    /// <summary>
    /// Writes the full-page image that a change carries (<see cref="BlockChangeFlags.ApplyImage"/> or
    /// <see cref="BlockChangeFlags.CheckImage"/>) as the page it is of, decompressed, its hole filled with zeros. Leaves the image's own LSN.
    /// </summary>
    /// <exception cref="RedoException">The image cannot be restored.</exception>
    public static void RestoreImage(in BlockChange change, Span<byte> page)
    {
        RequirePage(page.Length);
        PageImage.Restore(change, page);
    }

    private static void RequirePage(int length)
    {
        if (length != PageSize)
        {
            throw new ArgumentException($"A page has {PageSize} bytes, not {length}.");
        }
    }
}
