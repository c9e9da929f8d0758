using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Redoubt.Wal;

/// <summary>
/// A record taken apart (<c>DecodeXLogRecord</c>, access/transam/xlogreader.c): its block references, main data, origin and top-level
/// transaction. A view over the record; about 1.4 KB on the stack, nothing on the heap.
/// </summary>
public ref struct RecordParts
{
    /// <summary><c>XLR_MAX_BLOCK_ID</c>.</summary>
    public const int MaxBlockId = 32;

    private const byte DataShort = 255;
    private const byte DataLong = 254;
    private const byte Origin = 253;
    private const byte TopLevelXid = 252;
    private const byte HasImage = 0x10;
    private const byte HasData = 0x20;
    private const byte SameRel = 0x80;
    private const byte ImageHasHole = 0x01;
    private const byte ImageCompressed = 0x04 | 0x08 | 0x10;

    private BlockReferences _blocks;
    private ReadOnlySpan<byte> _bytes;
    private int _mainOffset;
    private int _mainLength;

    /// <summary>How many block references there are.</summary>
    public int BlockCount { get; private set; }

    /// <summary><c>RepOriginId</c> of the record, 0 for none.</summary>
    public ushort OriginId { get; private set; }

    /// <summary>Top-level transaction when the record's own is a subtransaction seen for the first time, else 0.</summary>
    public uint TopLevelTransaction { get; private set; }

    /// <summary><c>XLogRecGetData</c>.</summary>
    public readonly ReadOnlySpan<byte> MainData => _bytes.Slice(_mainOffset, _mainLength);

    /// <summary>The block references in the record's order (ascending <see cref="BlockReference.Id"/>).</summary>
    [UnscopedRef]
    public readonly ReadOnlySpan<BlockReference> Blocks => ((ReadOnlySpan<BlockReference>)_blocks)[..BlockCount];

    /// <summary>The image of a block reference as it stands in the record; empty when there is none.</summary>
    public readonly ReadOnlySpan<byte> Image(scoped in BlockReference block) => _bytes.Slice(block.ImageOffset, block.ImageLength);

    /// <summary><c>XLogRecGetBlockData</c>.</summary>
    public readonly ReadOnlySpan<byte> Data(scoped in BlockReference block) => _bytes.Slice(block.DataOffset, block.DataLength);

    /// <summary>Takes a record apart.</summary>
    /// <exception cref="WalFormatException">The record's inside contradicts itself.</exception>
    [SkipLocalsInit]
    public static void Parse(scoped in WalRecord record, out RecordParts parts)
    {
        Unsafe.SkipInit(out parts);
        parts.Read(record);
    }

    /// <summary>Finds the main data of a record of which only the beginning is here.</summary>
    /// <param name="start">The record's, for messages.</param>
    /// <param name="beginning">At least its header.</param>
    /// <param name="lengthAt">Where the main data's length stands (u32).</param>
    /// <param name="mainAt">Where the main data begins.</param>
    /// <returns>False: not in this beginning, or there is no long main data.</returns>
    /// <exception cref="WalFormatException">The record's inside contradicts itself.</exception>
    internal static bool TryFindMainData(Lsn start, ReadOnlySpan<byte> beginning, out int lengthAt, out int mainAt)
    {
        const int LongestHeader = 1 + 3 + 7 + 16;
        var cursor = new Cursor(start, beginning, WalRecord.HeaderLength);
        uint total = BinaryPrimitives.ReadUInt32LittleEndian(beginning);
        long blocks = 0;
        var block = default(BlockReference);
        var rel = default(RelFileLocator);
        bool hasRel = false;
        lengthAt = mainAt = 0;
        while (cursor.Remaining >= LongestHeader && total - cursor.Position > blocks)
        {
            byte id = cursor.Byte();
            if (id <= MaxBlockId)
            {
                ReadBlock(start, ref cursor, id, ref block, ref rel, ref hasRel);
                blocks += block.ImageLength + block.DataLength;
            }
            else if (id == Origin)
            {
                cursor.UInt16();
            }
            else if (id == TopLevelXid)
            {
                cursor.UInt32();
            }
            else
            {
                lengthAt = cursor.Position;
                mainAt = (int)(cursor.Position + sizeof(uint) + blocks);
                return id == DataLong && mainAt <= beginning.Length;
            }
        }

        return false;
    }

    private void Read(scoped in WalRecord record)
    {
        _bytes = record.Bytes;
        BlockCount = 0;
        OriginId = 0;
        TopLevelTransaction = 0;
        _mainLength = 0;
        var cursor = new Cursor(record.Start, record.Bytes, WalRecord.HeaderLength);
        long dataTotal = 0;
        int lastId = -1;
        var rel = default(RelFileLocator);
        bool hasRel = false;
        while (cursor.Remaining > dataTotal)
        {
            byte id = cursor.Byte();
            if (id <= MaxBlockId)
            {
                if (id <= lastId)
                {
                    throw new WalFormatException(record.Start, $"Block reference {id} comes after {lastId}.");
                }

                lastId = id;
                ref BlockReference block = ref _blocks[BlockCount++];
                ReadBlock(record.Start, ref cursor, id, ref block, ref rel, ref hasRel);
                dataTotal += block.ImageLength + block.DataLength;
            }
            else if (id == DataShort)
            {
                _mainLength = cursor.Byte();
                dataTotal += _mainLength;
                break;
            }
            else if (id == DataLong)
            {
                uint length = cursor.UInt32();
                if (length > (uint)cursor.Remaining)
                {
                    throw new WalFormatException(record.Start, "The record's main data is longer than the record.");
                }

                _mainLength = (int)length;
                dataTotal += _mainLength;
                break;
            }
            else if (id == Origin)
            {
                OriginId = cursor.UInt16();
            }
            else if (id == TopLevelXid)
            {
                TopLevelTransaction = cursor.UInt32();
            }
            else
            {
                throw new WalFormatException(record.Start, $"Block reference {id} does not exist.");
            }
        }

        if (cursor.Remaining != dataTotal)
        {
            throw new WalFormatException(
                record.Start, $"The record holds {cursor.Remaining} bytes of data, but its parts add up to {dataTotal}.");
        }

        int at = cursor.Position;
        for (int i = 0; i < BlockCount; i++)
        {
            ref BlockReference block = ref _blocks[i];
            block.ImageOffset = at;
            at += block.ImageLength;
            block.DataOffset = at;
            at += block.DataLength;
        }

        _mainOffset = at;
    }

    private static void ReadBlock(
        Lsn start, ref Cursor cursor, byte id, ref BlockReference block, ref RelFileLocator rel, ref bool hasRel)
    {
        var head = cursor.Take(3);
        byte forkFlags = head[0];
        block.Id = id;
        block.Fork = (Fork)(forkFlags & 0x0F);
        block.BlockFlags = (byte)(forkFlags & 0xF0);
        block.DataLength = BinaryPrimitives.ReadUInt16LittleEndian(head[1..]);
        block.ImageInfo = 0;
        block.ImageLength = 0;
        block.HoleOffset = 0;
        block.HoleLength = 0;
        if (block.Fork > Fork.Init)
        {
            throw new WalFormatException(start, $"Block reference {id} names fork {(int)block.Fork}, which does not exist.");
        }

        if (((forkFlags & HasData) != 0) != (block.DataLength != 0))
        {
            throw new WalFormatException(start, $"Block reference {id} has {block.DataLength} bytes of data, but its flags say otherwise.");
        }

        if ((forkFlags & HasImage) != 0)
        {
            ReadImage(start, ref cursor, ref block);
        }

        if ((forkFlags & SameRel) == 0)
        {
            var place = cursor.Take(16);
            rel = new RelFileLocator(
                BinaryPrimitives.ReadUInt32LittleEndian(place),
                BinaryPrimitives.ReadUInt32LittleEndian(place[4..]),
                BinaryPrimitives.ReadUInt32LittleEndian(place[8..]));
            hasRel = true;
            block.Rel = rel;
            block.Block = BinaryPrimitives.ReadUInt32LittleEndian(place[12..]);
            return;
        }

        if (!hasRel)
        {
            throw new WalFormatException(start, $"Block reference {id} means the relation of the one before, but there is none.");
        }

        block.Rel = rel;
        block.Block = cursor.UInt32();
    }

    private static void ReadImage(Lsn start, ref Cursor cursor, ref BlockReference block)
    {
        block.ImageLength = cursor.UInt16();
        block.HoleOffset = cursor.UInt16();
        block.ImageInfo = cursor.Byte();
        bool compressed = (block.ImageInfo & ImageCompressed) != 0;
        bool hole = (block.ImageInfo & ImageHasHole) != 0;
        int holeLength = compressed ? (hole ? cursor.UInt16() : 0) : PageRedo.PageSize - block.ImageLength;
        bool right = block.ImageLength > 0 && block.ImageLength <= PageRedo.PageSize
            && holeLength >= 0
            && block.HoleOffset + holeLength <= PageRedo.PageSize
            && (hole ? block.HoleOffset != 0 && holeLength != 0 : block.HoleOffset == 0 && holeLength == 0)
            && (!compressed || block.ImageLength < PageRedo.PageSize);
        if (!right)
        {
            throw new WalFormatException(
                start,
                $"The image of block reference {block.Id} is impossible: {block.ImageLength} bytes, hole {holeLength} at {block.HoleOffset}, flags {block.ImageInfo:X2}.");
        }

        block.HoleLength = (ushort)holeLength;
    }

    [InlineArray(MaxBlockId + 1)]
    private struct BlockReferences
    {
        private BlockReference _first;
    }

    /// <summary>Reads little-endian fields and never past the end.</summary>
    private ref struct Cursor(Lsn start, ReadOnlySpan<byte> bytes, int position)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;
        private readonly Lsn _start = start;

        public int Position { get; private set; } = position;

        public readonly int Remaining => _bytes.Length - Position;

        public byte Byte() => Take(1)[0];

        public ushort UInt16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

        public uint UInt32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

        public ReadOnlySpan<byte> Take(int count)
        {
            if (Remaining < count)
            {
                throw new WalFormatException(_start, "The record ends inside its headers.");
            }

            var taken = _bytes.Slice(Position, count);
            Position += count;
            return taken;
        }
    }
}
