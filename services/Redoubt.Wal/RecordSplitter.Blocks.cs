using System.Buffers.Binary;
using Redoubt.Wal.Redo;

namespace Redoubt.Wal;

/// <content>Block references, and the visibility-map bits that heap records clear without naming the map's page.</content>
public static partial class RecordSplitter
{
    private const int ReferenceLength = 6;
    private const byte FullPageImage = 0xB0;

    private static unsafe void SplitBlocks<TSink>(scoped in WalRecord record, scoped in RecordParts parts, ControlState control, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        byte* scratch = stackalloc byte[RecordParts.MaxBlockId * ReferenceLength];
        ReadOnlySpan<byte> mainData = NeededMainData(record, parts.MainData);
        foreach (ref readonly BlockReference block in parts.Blocks)
        {
            if (record.Rmgr == RmgrId.Xlog && !block.AppliesImage)
            {
                if ((record.Info & 0xF0) == FullPageImage)
                {
                    throw new WalFormatException(record.Start, $"The full-page image record has no image of block reference {block.Id}.");
                }

                // XLOG_FPI_FOR_HINT written with full_page_writes off says nothing.
                continue;
            }

            var flags = FlagsOf(block);
            bool restores = (flags & BlockChangeFlags.ApplyImage) != 0;
            if (record.Rmgr == RmgrId.Heap2 && (record.Info & 0x70) == HeapRecord.Visible && (control.WalLogHints || control.DataChecksumVersion != 0))
            {
                flags |= BlockChangeFlags.HintsLogged;
            }

            int references = restores ? 0 : WriteReferences(parts, block.Id, new Span<byte>(scratch, RecordParts.MaxBlockId * ReferenceLength));
            var change = new BlockChange
            {
                Key = new PageKey(block.Rel, block.Fork, block.Block),
                Lsn = record.End,
                Xid = record.Xid,
                Rmgr = record.Rmgr,
                Info = (byte)(record.Info & 0xF0),
                BlockId = block.Id,
                Flags = flags,
                Image = parts.Image(block),
                HoleOffset = block.HoleOffset,
                HoleLength = block.HoleLength,
                MainData = restores && record.Rmgr != RmgrId.Heap2 ? default : mainData,
                BlockData = restores ? default : parts.Data(block),
                References = new ReadOnlySpan<byte>(scratch, references),
            };
            sink.Block(change);
        }
    }

    private static BlockChangeFlags FlagsOf(in BlockReference block)
    {
        var flags = block.WillInit ? BlockChangeFlags.WillInit : BlockChangeFlags.None;
        if (!block.HasImage)
        {
            return flags;
        }

        flags |= block.AppliesImage ? BlockChangeFlags.ApplyImage | BlockChangeFlags.WillInit : BlockChangeFlags.CheckImage;

        // BKPIMAGE_COMPRESS_PGLZ 4, _LZ4 8, _ZSTD 16 have the values of our own flags.
        return flags | (BlockChangeFlags)(block.ImageInfo & (byte)(BlockChangeFlags.Pglz | BlockChangeFlags.Lz4 | BlockChangeFlags.Zstd));
    }

    private static int WriteReferences(scoped in RecordParts parts, byte self, Span<byte> destination)
    {
        int at = 0;
        if (parts.BlockCount > 1)
        {
            foreach (ref readonly BlockReference block in parts.Blocks)
            {
                if (block.Id != self)
                {
                    destination[at] = block.Id;
                    destination[at + 1] = (byte)block.Fork;
                    BinaryPrimitives.WriteUInt32LittleEndian(destination[(at + 2)..], block.Block);
                    at += ReferenceLength;
                }
            }
        }

        return at;
    }

    /// <summary>The part of the main data that redo reads: logical decoding's old tuples and invalidations are not stored with pages.</summary>
    private static ReadOnlySpan<byte> NeededMainData(scoped in WalRecord record, ReadOnlySpan<byte> mainData)
    {
        if (record.Rmgr != RmgrId.Heap)
        {
            return mainData;
        }

        int needed = HeapRecord.FixedLength(record.Info);
        return mainData.Length > needed ? mainData[..needed] : mainData;
    }

    /// <summary>
    /// <c>heap_xlog_vm_clear</c> and its like: newer minor releases name the map's page in the record, older ones do not, and none does
    /// when the bits were clear already. Without a reference the clearing becomes a change of its own.
    /// </summary>
    private static void ClearVisibilityMap<TSink>(scoped in WalRecord record, scoped in RecordParts parts, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        byte bits = HeapRecord.ClearedBits(record.Rmgr, record.Info, parts.MainData, out bool ofOld, out bool ofNew);
        if (bits == 0)
        {
            return;
        }

        bool hasOld = false;
        uint newBlock = 0;
        uint oldBlock = 0;
        bool hasNew = false;
        var rel = default(RelFileLocator);
        foreach (ref readonly BlockReference block in parts.Blocks)
        {
            if (block.Fork == Fork.VisibilityMap)
            {
                return;
            }

            if (block.Id == 0)
            {
                rel = block.Rel;
                newBlock = block.Block;
                hasNew = true;
            }
            else if (block.Id == 1)
            {
                oldBlock = block.Block;
                hasOld = true;
            }
        }

        if (!hasNew)
        {
            throw new WalFormatException(record.Start, "The heap record has no block reference 0.");
        }

        oldBlock = hasOld ? oldBlock : newBlock;
        if (ofOld)
        {
            EmitVisibilityMapClear(record, rel, oldBlock, bits, ref sink);
        }

        if (ofNew && !(ofOld && oldBlock == newBlock))
        {
            EmitVisibilityMapClear(record, rel, newBlock, bits, ref sink);
        }
    }

    private static unsafe void EmitVisibilityMapClear<TSink>(
        scoped in WalRecord record, scoped in RelFileLocator rel, uint heapBlock, byte bits, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        byte* arguments = stackalloc byte[5];
        BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(arguments, 4), heapBlock);
        arguments[4] = bits;
        EmitImplicit(
            record,
            new PageKey(rel, Fork.VisibilityMap, VisibilityMap.MapBlock(heapBlock)),
            ImplicitChange.VisibilityMapClear,
            BlockChangeFlags.None,
            new ReadOnlySpan<byte>(arguments, 5),
            ref sink);
    }

    private static void EmitImplicit<TSink>(
        scoped in WalRecord record, scoped in PageKey key, ImplicitChange kind, BlockChangeFlags flags, ReadOnlySpan<byte> arguments, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        var change = new BlockChange
        {
            Key = key,
            Lsn = record.End,
            Xid = record.Xid,
            Rmgr = BlockChange.Implicit,
            Info = (byte)kind,
            Flags = flags,
            MainData = arguments,
        };
        sink.Block(change);
    }
}
