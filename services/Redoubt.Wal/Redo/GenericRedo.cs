namespace Redoubt.Wal.Redo;

/// <summary>
/// Redo of generic records (<c>RM_GENERIC_ID</c>; access/generic_xlog.h, transam/generic_xlog.c), which extensions such as bloom write:
/// a page's new bytes as (offset, length, bytes) fragments. The same in 17 and 18.
/// </summary>
internal static class GenericRedo
{
    /// <summary>Applies a page's fragments, zeroes its free space and stamps it with the record's LSN.</summary>
    /// <exception cref="RedoException">A fragment or the page's header points outside the page.</exception>
    internal static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        var data = new RedoCursor(change.BlockData);
        while (!data.IsEmpty)
        {
            int offset = data.UInt16(change);
            ReadOnlySpan<byte> bytes = data.Take(change, data.UInt16(change));
            if (offset + bytes.Length > BufPage.Size)
            {
                BufPage.Fail(change, $"fragment of {bytes.Length} bytes at {offset}");
            }

            bytes.CopyTo(page[offset..]);
        }

        int lower = BufPage.GetLower(page), upper = BufPage.GetUpper(page);
        if (lower > upper || upper > BufPage.Size)
        {
            BufPage.Fail(change, $"page header is corrupt: lower {lower}, upper {upper}");
        }

        page[lower..upper].Clear();
        BufPage.SetLsn(page, change.Lsn);
    }
}
