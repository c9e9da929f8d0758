using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <content><c>heap_xlog_update</c>: the old tuple's page, the new tuple's, or both in one.</content>
internal static partial class HeapRedo
{
    /// <summary>The arguments of <c>xl_heap_update</c>.</summary>
    private readonly record struct UpdateArgs(uint OldXmax, int OldOffset, byte OldInfobits, byte Flags, uint NewXmax, int NewOffset);

    private static void Update(in BlockChange change, Span<byte> page, bool hot)
    {
        UpdateArgs args = ReadUpdate(change);
        uint newBlock = References.Get(change, 0);
        bool isNewPage = change.BlockId == 0;
        bool isOldPage = change.BlockId == HeapRecord.OldBlock || !References.TryGet(change, HeapRecord.OldBlock, out _);
        if (isOldPage)
        {
            if (isNewPage && (change.Info & HeapRecord.InitPage) != 0)
            {
                BufPage.Fail(change, "an update within a page cannot start it anew");
            }

            MarkOld(change, page, args, newBlock, hot);
        }

        if (isNewPage)
        {
            AddNew(change, page, args, isOldPage);
        }
    }

    private static UpdateArgs ReadUpdate(in BlockChange change)
    {
        var data = new RedoCursor(change.MainData);
        return new UpdateArgs(
            data.UInt32(change), data.UInt16(change), data.Byte(change), data.Byte(change), data.UInt32(change), data.UInt16(change));
    }

    private static void MarkOld(in BlockChange change, Span<byte> page, in UpdateArgs args, uint newBlock, bool hot)
    {
        HeapTuple tuple = HeapTuple.At(change, page, args.OldOffset);
        tuple.SetXmaxBits(args.OldInfobits);
        tuple.SetHotUpdated(hot);
        tuple.Xmax = args.OldXmax;
        tuple.SetFirstCommand();
        tuple.SetCtid(newBlock, args.NewOffset);
        SetPrunable(page, change.Xid);
        if ((args.Flags & HeapRecord.UpdateOldAllVisibleCleared) != 0)
        {
            BufPage.ClearFlags(page, BufPage.AllVisible);
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    [SkipLocalsInit]
    private static void AddNew(in BlockChange change, Span<byte> page, in UpdateArgs args, bool isOldPage)
    {
        if (!isOldPage && (change.Info & HeapRecord.InitPage) != 0)
        {
            BufPage.Init(page, 0);
        }

        var data = new RedoCursor(change.BlockData);
        int prefix = (args.Flags & HeapRecord.UpdatePrefixFromOld) != 0 ? data.UInt16(change) : 0;
        int suffix = (args.Flags & HeapRecord.UpdateSuffixFromOld) != 0 ? data.UInt16(change) : 0;
        ushort infomask2 = data.UInt16(change);
        ushort infomask = data.UInt16(change);
        byte dataOffset = data.Byte(change);
        Span<byte> joined = stackalloc byte[BufPage.Size];
        scoped ReadOnlySpan<byte> tupleData = Limited(change, data.Rest);
        if (prefix > 0 || suffix > 0)
        {
            if (!isOldPage)
            {
                BufPage.Fail(change, "the new tuple takes bytes of the old one, which is on another page");
            }

            tupleData = Join(change, joined, HeapTuple.At(change, page, args.OldOffset), tupleData, dataOffset, prefix, suffix);
        }

        Span<byte> buffer = stackalloc byte[BufPage.Size];
        int length = HeapTuple.Build(change, buffer, infomask2, infomask, dataOffset, tupleData);
        var tuple = new HeapTuple(buffer) { Xmax = args.NewXmax };
        tuple.SetCtid(change.Key.Block, args.NewOffset);
        Add(change, page, buffer[..length], args.NewOffset);
        if ((args.Flags & HeapRecord.UpdateNewAllVisibleCleared) != 0)
        {
            BufPage.ClearFlags(page, BufPage.AllVisible);
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary>Null bitmap of the record, prefix of the old tuple, data of the record, suffix of the old tuple.</summary>
    private static ReadOnlySpan<byte> Join(
        in BlockChange change, Span<byte> joined, HeapTuple old, scoped ReadOnlySpan<byte> data, int dataOffset, int prefix, int suffix)
    {
        int bitmap = dataOffset - HeapTuple.HeaderLength;
        ReadOnlySpan<byte> oldBytes = old.Bytes;
        int oldData = old.DataOffset;
        int total = data.Length + prefix + suffix;
        if (total > HeapTuple.MaxLength - HeapTuple.HeaderLength
            || oldData + prefix > oldBytes.Length
            || suffix > oldBytes.Length
            || (prefix > 0 && (bitmap < 0 || bitmap > data.Length)))
        {
            BufPage.Fail(change, $"a prefix of {prefix} and a suffix of {suffix} bytes do not fit the old tuple of {oldBytes.Length}");
        }

        int at = 0;
        if (prefix > 0)
        {
            data[..bitmap].CopyTo(joined);
            oldBytes.Slice(oldData, prefix).CopyTo(joined[bitmap..]);
            at = bitmap + prefix;
            data = data[bitmap..];
        }

        data.CopyTo(joined[at..]);
        at += data.Length;
        oldBytes[^suffix..].CopyTo(joined[at..]);
        return joined[..total];
    }
}
