namespace Redoubt.Wal;

/// <summary>
/// One block reference of a record (<c>XLogRecordBlockHeader</c> and what follows it, access/xlogrecord.h), with the places of its
/// bytes inside the record.
/// </summary>
public struct BlockReference
{
    /// <summary>Number of the reference, 0…32.</summary>
    public byte Id;

    /// <summary>The fork; values above 3 do not occur in a valid record.</summary>
    public Fork Fork;

    /// <summary><c>fork_flags</c> without the fork.</summary>
    public byte BlockFlags;

    /// <summary><c>bimg_info</c>, 0 without an image.</summary>
    public byte ImageInfo;

    /// <summary>The relation.</summary>
    public RelFileLocator Rel;

    /// <summary>The block number.</summary>
    public uint Block;

    /// <summary>Where the image's bytes begin in the record.</summary>
    public int ImageOffset;

    /// <summary>Bytes of the image in the record.</summary>
    public ushort ImageLength;

    /// <summary><c>hole_offset</c>, bytes.</summary>
    public ushort HoleOffset;

    /// <summary>Length of the hole, bytes.</summary>
    public ushort HoleLength;

    /// <summary>Bytes of the reference's own data.</summary>
    public ushort DataLength;

    /// <summary>Where the reference's own data begins in the record.</summary>
    public int DataOffset;

    /// <summary><c>BKPBLOCK_HAS_IMAGE</c>.</summary>
    public readonly bool HasImage => (BlockFlags & 0x10) != 0;

    /// <summary><c>BKPBLOCK_WILL_INIT</c>.</summary>
    public readonly bool WillInit => (BlockFlags & 0x40) != 0;

    /// <summary><c>BKPIMAGE_APPLY</c>: redo restores the image and does nothing else to the page.</summary>
    public readonly bool AppliesImage => HasImage && (ImageInfo & 0x02) != 0;
}
