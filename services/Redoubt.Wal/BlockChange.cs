namespace Redoubt.Wal;

/// <summary>
/// What one log record does to one page, standing alone: with the page as it was before and this change,
/// <see cref="PageRedo"/> makes the page as it is after. It holds the bytes that it needs of the record and nothing of other pages.
/// A view over the record's (or an encoded change's) buffer.
/// </summary>
/// <remarks>
/// Encoded form (little-endian, for stores): see <see cref="Encode"/>. What PostgreSQL's redo does implicitly (visibility-map bits,
/// commit log, multixacts, commit timestamps) is a change with <see cref="Rmgr"/> = <see cref="Implicit"/> and an
/// <see cref="ImplicitChange"/> as <see cref="Info"/>.
/// </remarks>
public readonly ref partial struct BlockChange
{
    /// <summary>Resource manager id of changes that no block reference of the record names; no real rmgr has it.</summary>
    public const byte Implicit = 127;

    /// <summary>The page that changes.</summary>
    public required PageKey Key { get; init; }

    /// <summary>End of the record: the page's LSN after the change.</summary>
    public required Lsn Lsn { get; init; }

    /// <summary>Transaction of the record (<c>xl_xid</c>), 0 for none.</summary>
    public uint Xid { get; init; }

    /// <summary>Resource manager (<c>xl_rmid</c>) or <see cref="Implicit"/>.</summary>
    public required byte Rmgr { get; init; }

    /// <summary><c>xl_info</c> without <c>XLR_INFO_MASK</c>, or an <see cref="ImplicitChange"/>.</summary>
    public required byte Info { get; init; }

    /// <summary>The block reference's number in the record (0…32).</summary>
    public byte BlockId { get; init; }

    /// <summary>What kind of bytes <see cref="Image"/> holds and whether the old page matters.</summary>
    public BlockChangeFlags Flags { get; init; }

    /// <summary>Full-page image as in the record (perhaps compressed, hole removed); empty when there is none.</summary>
    public ReadOnlySpan<byte> Image { get; init; }

    /// <summary><c>hole_offset</c> of the image, bytes.</summary>
    public ushort HoleOffset { get; init; }

    /// <summary>Length of the hole of the image, bytes.</summary>
    public ushort HoleLength { get; init; }

    /// <summary>The record's main data (<c>XLogRecGetData</c>), or the implicit change's arguments.</summary>
    public ReadOnlySpan<byte> MainData { get; init; }

    /// <summary>The block reference's own data (<c>XLogRecGetBlockData</c>).</summary>
    public ReadOnlySpan<byte> BlockData { get; init; }

    /// <summary>
    /// False for what clears the end of a map after a truncation: a page that is not there is not made, nor does its fork grow
    /// (<c>visibilitymap_prepare_truncate</c>, <c>FreeSpaceMapPrepareTruncateRel</c>).
    /// </summary>
    public bool MakesPage => Rmgr != Implicit || (ImplicitChange)Info is not (ImplicitChange.VisibilityMapTruncate or ImplicitChange.FreeSpaceMapTruncate);

    /// <summary>
    /// The record's other block references, packed: per reference 1 byte block id, 1 byte fork, 4 bytes block number (little-endian).
    /// Redo that writes links (B-tree splits …) reads siblings' block numbers here.
    /// </summary>
    public ReadOnlySpan<byte> References { get; init; }
}

/// <summary>How a change meets the page that was there before.</summary>
[Flags]
public enum BlockChangeFlags : byte
{
    None = 0,

    /// <summary><c>BKPBLOCK_WILL_INIT</c>, an image, or the like: the page before does not matter; a chain of changes starts here.</summary>
    WillInit = 1,

    /// <summary>There is an image and redo restores it (<c>BKPIMAGE_APPLY</c>); nothing else of the record touches the page.</summary>
    ApplyImage = 2,

    /// <summary>The image is compressed with pglz.</summary>
    Pglz = 4,

    /// <summary>The image is compressed with lz4.</summary>
    Lz4 = 8,

    /// <summary>The image is compressed with zstd.</summary>
    Zstd = 16,

    /// <summary>There is an image for <c>wal_consistency_checking</c> only: redo does not use it, the oracle compares with it.</summary>
    CheckImage = 32,

    /// <summary>The cluster logs hint bits (<c>wal_log_hints</c> or data checksums), so setting all-visible moves the heap page's LSN.</summary>
    HintsLogged = 64,
}
