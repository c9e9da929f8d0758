using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Compressed posting lists (<c>GinPostingList</c>, access/ginblock.h; gin/ginpostinglist.c): the first TID, the number of bytes that follow,
/// then the differences of the others as varbytes, padded to 2. A TID counts as block × 2^11 + offset number.
/// </summary>
internal static class GinPostingList
{
    /// <summary><c>offsetof(GinPostingList, bytes)</c>.</summary>
    private const int HeaderSize = 8;

    /// <summary><c>MaxHeapTuplesPerPageBits</c>.</summary>
    private const int OffsetBits = 11;

    /// <summary><c>MaxBytesPerInteger</c>.</summary>
    private const int MaxVarbyte = 7;

    /// <summary><c>SizeOfGinPostingList</c> of the segment that <paramref name="bytes"/> begin with, all of which must be there.</summary>
    public static int Length(in BlockChange change, ReadOnlySpan<byte> bytes)
    {
        int length = bytes.Length < HeaderSize
            ? int.MaxValue
            : HeaderSize + ((BinaryPrimitives.ReadUInt16LittleEndian(bytes[6..]) + 1) & ~1);
        if (length > bytes.Length)
        {
            BufPage.Fail(change, $"posting list segment does not end within {bytes.Length} bytes");
        }

        return length;
    }

    /// <summary>Merges the TIDs of a segment (empty: none) with ascending TIDs into one segment (<c>ginMergeItemPointers</c>,
    /// <c>ginCompressPostingList</c>). A TID in both counts once.</summary>
    /// <returns>The new segment's length, bytes.</returns>
    public static int Merge(in BlockChange change, ReadOnlySpan<byte> segment, ReadOnlySpan<byte> tids, Span<byte> target)
    {
        var old = new Decoder(change, segment);
        int next = 0;
        ulong previous = 0;
        int at = 0;
        while (old.HasValue || next < tids.Length)
        {
            ulong value;
            if (next >= tids.Length)
            {
                value = old.Value;
                old.MoveNext(change);
            }
            else
            {
                ulong tid = ToInteger(change, tids[next..]);
                if (old.HasValue && old.Value <= tid)
                {
                    value = old.Value;
                    next += value == tid ? IndexTuple.TidSize : 0;
                    old.MoveNext(change);
                }
                else
                {
                    value = tid;
                    next += IndexTuple.TidSize;
                }
            }

            if (at == 0)
            {
                if (target.Length < HeaderSize)
                {
                    BufPage.Fail(change, "posting lists do not fit on the page");
                }

                IndexTuple.SetBlock(target, (uint)(value >> OffsetBits));
                IndexTuple.SetPosition(target, (int)(value & ((1 << OffsetBits) - 1)));
                at = HeaderSize;
            }
            else
            {
                at += Encode(change, value, previous, target[at..]);
            }

            previous = value;
        }

        if (at == 0)
        {
            BufPage.Fail(change, "posting list segment without TIDs");
        }

        BinaryPrimitives.WriteUInt16LittleEndian(target[6..], (ushort)(at - HeaderSize));
        if ((at & 1) != 0)
        {
            if (at == target.Length)
            {
                BufPage.Fail(change, "posting lists do not fit on the page");
            }

            target[at++] = 0;
        }

        return at;
    }

    private static int Encode(in BlockChange change, ulong value, ulong previous, Span<byte> target)
    {
        if (value <= previous)
        {
            BufPage.Fail(change, "TIDs of a posting list do not ascend");
        }

        ulong rest = value - previous;
        int length = 0;
        for (; length < target.Length; rest >>= 7)
        {
            target[length++] = (byte)(rest > 0x7F ? 0x80 | (rest & 0x7F) : rest);
            if (rest <= 0x7F)
            {
                return length;
            }
        }

        BufPage.Fail(change, "posting lists do not fit on the page");
        return 0;
    }

    private static ulong ToInteger(in BlockChange change, ReadOnlySpan<byte> tid)
    {
        int offset = IndexTuple.Position(tid);
        if (offset >= 1 << OffsetBits)
        {
            BufPage.Fail(change, $"TID with offset number {offset} in a posting list");
        }

        return ((ulong)IndexTuple.Block(tid) << OffsetBits) | (uint)offset;
    }

    /// <summary>Reads a segment's TIDs one by one.</summary>
    private ref struct Decoder
    {
        private readonly ReadOnlySpan<byte> _bytes;
        private int _at;

        public Decoder(in BlockChange change, ReadOnlySpan<byte> segment)
        {
            if (segment.IsEmpty)
            {
                return;
            }

            int count = BinaryPrimitives.ReadUInt16LittleEndian(segment[6..]);
            _bytes = segment.Slice(HeaderSize, count);
            Value = ToInteger(change, segment);
            HasValue = true;
        }

        public ulong Value { get; private set; }

        public bool HasValue { get; private set; }

        public void MoveNext(in BlockChange change)
        {
            if (_at == _bytes.Length)
            {
                HasValue = false;
                return;
            }

            ulong delta = 0;
            for (int i = 0; ; i++)
            {
                if (i == MaxVarbyte || _at == _bytes.Length)
                {
                    BufPage.Fail(change, "varbyte of a posting list does not end");
                }

                byte b = _bytes[_at++];
                delta |= (ulong)(b & 0x7F) << (7 * i);
                if (b < 0x80)
                {
                    break;
                }
            }

            Value += delta;
            if (delta == 0 || Value >= 1UL << (32 + OffsetBits))
            {
                BufPage.Fail(change, "TIDs of a posting list do not ascend");
            }
        }
    }
}
