namespace Redoubt.Wal.Redo;

/// <summary>A line pointer (<c>ItemIdData</c>, storage/itemid.h): 15 bits offset, 2 bits flags, 15 bits length.</summary>
/// <param name="Raw">The four bytes as a little-endian number.</param>
internal readonly record struct ItemId(uint Raw)
{
    /// <summary><c>LP_UNUSED</c>.</summary>
    public const int Unused = 0;

    /// <summary><c>LP_NORMAL</c>.</summary>
    public const int Normal = 1;

    /// <summary><c>LP_REDIRECT</c>.</summary>
    public const int Redirect = 2;

    /// <summary><c>LP_DEAD</c>.</summary>
    public const int Dead = 3;

    /// <summary><c>lp_off</c>: bytes from the page's start, or the offset number that a redirect leads to.</summary>
    public int Offset => (int)(Raw & 0x7FFF);

    /// <summary><c>lp_flags</c>.</summary>
    public int Flags => (int)((Raw >> 15) & 3);

    /// <summary><c>lp_len</c>, bytes; 0 is "no storage".</summary>
    public int Length => (int)(Raw >> 17);

    public bool IsUnused => Flags == Unused;
    public bool IsNormal => Flags == Normal;
    public bool IsRedirected => Flags == Redirect;
    public bool IsDead => Flags == Dead;
    public bool HasStorage => Length != 0;

    /// <summary>Builds a line pointer; the parts are cut to their widths.</summary>
    public static ItemId Make(int offset, int flags, int length) =>
        new(((uint)offset & 0x7FFF) | (((uint)flags & 3) << 15) | ((uint)length << 17));

    /// <summary>The same with another <c>lp_off</c>.</summary>
    public ItemId WithOffset(int offset) => new((Raw & ~0x7FFFu) | ((uint)offset & 0x7FFF));

    /// <summary>The same with other <c>lp_flags</c>.</summary>
    public ItemId WithFlags(int flags) => new((Raw & ~(3u << 15)) | (((uint)flags & 3) << 15));
}
