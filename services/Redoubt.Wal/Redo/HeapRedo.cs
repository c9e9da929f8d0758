using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Redo of resource manager Heap (<c>heap_redo</c>, access/heap/heapam.c in 17, heapam_xlog.c in 18): tuples come, get an xmax, are locked,
/// are overwritten in place. What the records do to the visibility map is in HeapVisibilityMap.cs, updates in HeapRedo.Update.cs.
/// </summary>
internal static partial class HeapRedo
{
    private const uint MovedPartitionsBlock = 0xFFFFFFFF;
    private const int MovedPartitionsOffset = 0xFFFD;

    public static void Apply(in BlockChange change, Span<byte> page)
    {
        if (change.Key.Fork == Fork.VisibilityMap)
        {
            HeapVisibilityMap.Clear(change, page);
            return;
        }

        switch (change.Info & HeapRecord.OpMask)
        {
            case HeapRecord.Insert:
                Insert(change, page);
                break;
            case HeapRecord.Delete:
                Delete(change, page);
                break;
            case HeapRecord.Update:
                Update(change, page, hot: false);
                break;
            case HeapRecord.HotUpdate:
                Update(change, page, hot: true);
                break;
            case HeapRecord.Confirm:
                Confirm(change, page);
                break;
            case HeapRecord.Lock:
                Lock(change, page, isNewest: true);
                break;
            case HeapRecord.Inplace:
                Inplace(change, page);
                break;
            default:
                BufPage.Fail(change, "records of this kind change no page");
                break;
        }
    }

    /// <summary><c>heap_xlog_lock</c>; with <paramref name="isNewest"/> false <c>heap_xlog_lock_updated</c>, which leaves the chain alone.</summary>
    public static void Lock(in BlockChange change, Span<byte> page, bool isNewest)
    {
        var args = new RedoCursor(change.MainData);
        uint xmax = args.UInt32(change);
        int offset = args.UInt16(change);
        byte infobits = args.Byte(change);
        HeapTuple tuple = HeapTuple.At(change, page, offset);
        tuple.SetXmaxBits(infobits);
        if (isNewest && tuple.IsLockedOnly)
        {
            tuple.SetHotUpdated(false);
            tuple.SetCtid(change.Key.Block, offset);
        }

        tuple.Xmax = xmax;
        if (isNewest)
        {
            tuple.SetFirstCommand();
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary><c>PageSetPrunable</c>.</summary>
    private static void SetPrunable(Span<byte> page, uint xid)
    {
        uint old = BufPage.GetPruneXid(page);
        if (old == 0 || XidMath.Precedes(xid, old))
        {
            BufPage.SetPruneXid(page, xid);
        }
    }

    /// <summary><c>heap_xlog_insert</c>.</summary>
    [SkipLocalsInit]
    private static void Insert(in BlockChange change, Span<byte> page)
    {
        var args = new RedoCursor(change.MainData);
        int offset = args.UInt16(change);
        byte flags = args.Byte(change);
        if ((change.Info & HeapRecord.InitPage) != 0)
        {
            BufPage.Init(page, 0);
        }

        var data = new RedoCursor(change.BlockData);
        ushort infomask2 = data.UInt16(change);
        ushort infomask = data.UInt16(change);
        byte dataOffset = data.Byte(change);
        Span<byte> buffer = stackalloc byte[BufPage.Size];
        int length = HeapTuple.Build(change, buffer, infomask2, infomask, dataOffset, Limited(change, data.Rest));
        new HeapTuple(buffer).SetCtid(change.Key.Block, offset);
        Add(change, page, buffer[..length], offset);
        BufPage.SetLsn(page, change.Lsn);
        if ((flags & HeapRecord.InsertAllVisibleCleared) != 0)
        {
            BufPage.ClearFlags(page, BufPage.AllVisible);
        }
    }

    /// <summary><c>heap_xlog_delete</c>.</summary>
    private static void Delete(in BlockChange change, Span<byte> page)
    {
        var args = new RedoCursor(change.MainData);
        uint xmax = args.UInt32(change);
        int offset = args.UInt16(change);
        byte infobits = args.Byte(change);
        byte flags = args.Byte(change);
        HeapTuple tuple = HeapTuple.At(change, page, offset);
        tuple.SetXmaxBits(infobits);
        tuple.SetHotUpdated(false);
        if ((flags & HeapRecord.DeleteIsSuper) != 0)
        {
            // A speculative insertion that lost: as if it never was.
            tuple.Xmin = 0;
        }
        else
        {
            tuple.Xmax = xmax;
        }

        tuple.SetFirstCommand();
        SetPrunable(page, change.Xid);
        if ((flags & HeapRecord.DeleteAllVisibleCleared) != 0)
        {
            BufPage.ClearFlags(page, BufPage.AllVisible);
        }

        if ((flags & HeapRecord.DeleteIsPartitionMove) != 0)
        {
            tuple.SetCtid(MovedPartitionsBlock, MovedPartitionsOffset);
        }
        else
        {
            tuple.SetCtid(change.Key.Block, offset);
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary><c>heap_xlog_confirm</c>.</summary>
    private static void Confirm(in BlockChange change, Span<byte> page)
    {
        int offset = new RedoCursor(change.MainData).UInt16(change);
        HeapTuple.At(change, page, offset).SetCtid(change.Key.Block, offset);
        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary><c>heap_xlog_inplace</c>.</summary>
    private static void Inplace(in BlockChange change, Span<byte> page)
    {
        int offset = new RedoCursor(change.MainData).UInt16(change);
        HeapTuple tuple = HeapTuple.At(change, page, offset);
        int dataOffset = tuple.DataOffset;
        if (dataOffset < HeapTuple.HeaderLength || tuple.Bytes.Length - dataOffset != change.BlockData.Length)
        {
            BufPage.Fail(change, $"the tuple at {offset} has {tuple.Bytes.Length - dataOffset} bytes of data, the record {change.BlockData.Length}");
        }

        change.BlockData.CopyTo(tuple.Bytes[dataOffset..]);
        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary>Adds a tuple at an offset number that must be free or next.</summary>
    internal static void Add(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> tuple, int offset)
    {
        if (offset == 0 || BufPage.MaxOffset(change, page) + 1 < offset)
        {
            BufPage.Fail(change, $"offset number {offset} leaves a gap");
        }

        BufPage.AddItem(change, page, tuple, offset, overwrite: true, isHeap: true);
    }

    /// <summary>Tuple data that fits the buffer it is put together in.</summary>
    internal static ReadOnlySpan<byte> Limited(in BlockChange change, ReadOnlySpan<byte> data)
    {
        if (data.Length > HeapTuple.MaxLength - HeapTuple.HeaderLength)
        {
            BufPage.Fail(change, $"a tuple with {data.Length} bytes of data is impossible");
        }

        return data;
    }
}
