using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>Redo of what no block reference names (<see cref="ImplicitChange"/>): map bits, SLRU pages, imported pages.</summary>
internal static class ImplicitRedo
{
    public static void Apply(in BlockChange change, Span<byte> page)
    {
        switch ((ImplicitChange)change.Info)
        {
            case ImplicitChange.VisibilityMapClear:
                VisibilityMap.Clear(page, UInt32(change, 0), Byte(change, 4));
                break;
            case ImplicitChange.SlruZeroPage:
                page.Clear();
                break;
            case ImplicitChange.XidStatus:
                SetXidStatus(change, page);
                break;
            case ImplicitChange.MultiXactOffset:
            {
                int entry = (int)(UInt32(change, 0) % Slru.OffsetsPerPage);
                BinaryPrimitives.WriteUInt32LittleEndian(page[(4 * entry)..], UInt32(change, 4));
                break;
            }

            case ImplicitChange.MultiXactMembers:
                SetMembers(change, page);
                break;
            case ImplicitChange.CommitTimestamp:
                SetCommitTimestamps(change, page);
                break;
            case ImplicitChange.FreeSpaceMapTruncate:
                TruncateFreeSpaceMap(UInt32(change, 0), page);
                break;
            case ImplicitChange.VisibilityMapTruncate:
                VisibilityMap.Truncate(page, UInt32(change, 0));
                break;
            case ImplicitChange.Import:
                PageImage.Restore(change, page);
                break;
            default:
                BufPage.Fail(change, "no such implicit change");
                break;
        }
    }

    /// <summary><c>TransactionIdSetStatusBit</c> (access/transam/clog.c).</summary>
    private static void SetXidStatus(in BlockChange change, Span<byte> page)
    {
        byte status = Byte(change, 0);
        if (status > 3)
        {
            BufPage.Fail(change, $"transaction status {status} does not exist");
        }

        for (int at = 1; at < change.MainData.Length; at += 4)
        {
            uint entry = UInt32(change, at) % Slru.XidsPerClogPage;
            int shift = (int)(entry % 4) * 2;
            ref byte four = ref page[(int)(entry / 4)];
            four = (byte)((four & ~(3 << shift)) | (status << shift));
        }
    }

    /// <summary><c>TransactionIdSetCommitTs</c> (access/transam/commit_ts.c).</summary>
    private static void SetCommitTimestamps(in BlockChange change, Span<byte> page)
    {
        var cursor = new RedoCursor(change.MainData);
        var entry = cursor.Take(change, Slru.CommitTsEntryLength);
        while (!cursor.IsEmpty)
        {
            uint index = cursor.UInt32(change) % Slru.XidsPerCommitTsPage;
            entry.CopyTo(page[(int)(index * Slru.CommitTsEntryLength)..]);
        }
    }

    /// <summary>The members' half of <c>RecordNewMultiXact</c> (access/transam/multixact.c).</summary>
    private static void SetMembers(in BlockChange change, Span<byte> page)
    {
        var cursor = new RedoCursor(change.MainData);
        for (uint offset = cursor.UInt32(change); !cursor.IsEmpty; offset++)
        {
            uint onPage = offset % Slru.MembersPerPage;
            int group = (int)(onPage / 4) * Slru.MemberGroupLength;
            int inGroup = (int)(onPage % 4);
            BinaryPrimitives.WriteUInt32LittleEndian(page[(group + 4 + (4 * inGroup))..], cursor.UInt32(change));
            page[group + inGroup] = cursor.Byte(change);
        }
    }

    /// <summary><c>fsm_truncate_avail</c> (storage/freespace/fsmpage.c).</summary>
    private static void TruncateFreeSpaceMap(uint heapBlocks, Span<byte> page)
    {
        var slots = FreeSpaceMap.Slots(page);
        int keep = (int)(heapBlocks % FreeSpaceMap.SlotsPerPage);
        if (slots.IsEmpty || slots[keep..].IndexOfAnyExcept((byte)0) < 0)
        {
            return;
        }

        Span<byte> kept = stackalloc byte[FreeSpaceMap.SlotsPerPage];
        slots[..keep].CopyTo(kept);
        Lsn lsn = BufPage.GetLsn(page);
        FreeSpaceMap.BuildPage(kept[..keep], page);
        if (!BufPage.IsNew(page))
        {
            BufPage.SetLsn(page, lsn);
        }
    }

    private static byte Byte(in BlockChange change, int offset)
    {
        if (offset >= change.MainData.Length)
        {
            BufPage.Fail(change, "the change's arguments end early");
        }

        return change.MainData[offset];
    }

    private static uint UInt32(in BlockChange change, int offset)
    {
        if (offset + 4 > change.MainData.Length)
        {
            BufPage.Fail(change, "the change's arguments end early");
        }

        return BinaryPrimitives.ReadUInt32LittleEndian(change.MainData[offset..]);
    }
}
