using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Verify.Masks;

/// <summary>
/// Whose a page is, by its special space: for relations that no catalog knows, such as those of transactions that a crash or a prepared
/// state left unfinished. Access methods mark their pages for tools that look at files alone (<c>HASHO_PAGE_ID</c> and its like).
/// </summary>
public static class PageOwner
{
    private const int SpecialAt = 16;

    /// <summary>The resource manager whose mask the page needs.</summary>
    public static byte Rmgr(ReadOnlySpan<byte> page, uint block)
    {
        const int hashPage = 0xFF80, gistPage = 0xFF81, spGistPage = 0xFF82, bloomPage = 0xFF83, brinMeta = 0xF091, brinRegular = 0xF093;
        const uint sequenceMagic = 0x1717;
        int special = BufferMask.U16(page, SpecialAt);
        int mark = BufferMask.U16(page, page.Length - 2);
        switch (page.Length - special)
        {
            case 16:
                return mark switch { hashPage => RmgrId.Hash, gistPage => RmgrId.Gist, _ => RmgrId.Btree };
            case 8 when mark is >= brinMeta and <= brinRegular:
                return RmgrId.Brin;
            case 8 when mark == spGistPage:
                return RmgrId.SpGist;
            case 8 when mark == bloomPage:
                return RmgrId.Generic;
            case 8 when block == 0 && BinaryPrimitives.ReadUInt64LittleEndian(page[special..]) == sequenceMagic:
                return RmgrId.Sequence;
            case 8:
                return RmgrId.Gin;
            default:
                return RmgrId.Heap;
        }
    }
}
