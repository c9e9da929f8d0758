using System.Buffers.Binary;
using System.Numerics;

namespace Redoubt.Wal.Redo;

/// <summary>
/// The metapage of a hash index (<c>HashMetaPageData</c>, access/hash.h, at the start of the page's contents) and what records do to it.
/// </summary>
internal static class HashMeta
{
    private const int TuplesAt = 8;
    private const int MaxBucketAt = 24;
    private const int HighMaskAt = 28;
    private const int LowMaskAt = 32;
    private const int OverflowPointAt = 36;
    private const int FirstFreeAt = 40;
    private const int MapCountAt = 44;
    private const int SparesAt = 52;
    private const int MapsAt = SparesAt + (MaxSplitPoints * 4);

    /// <summary><c>HASH_MAX_SPLITPOINTS</c>.</summary>
    private const int MaxSplitPoints = 98;

    /// <summary><c>HASH_MAX_BITMAPS</c>.</summary>
    private const int MaxMaps = 1024;

    /// <summary><c>sizeof(HashMetaPageData)</c>.</summary>
    private const int Size = 4544;

    private const uint Magic = 0x6440640;
    private const uint Version = 4;

    /// <summary><c>_hash_init_metabuffer</c> from <c>xl_hash_init_meta_page</c>: num_tuples, procid, ffactor.</summary>
    public static void Init(in BlockChange change, Span<byte> page)
    {
        ReadOnlySpan<byte> main = new RedoCursor(change.MainData).Take(change, 14);
        double tuples = BinaryPrimitives.ReadDoubleLittleEndian(main);
        ushort fillFactor = BinaryPrimitives.ReadUInt16LittleEndian(main[12..]);
        double wanted = tuples / fillFactor;
        if (!double.IsFinite(wanted))
        {
            BufPage.Fail(change, $"{tuples} tuples at fill factor {fillFactor}");
        }

        uint buckets = wanted <= 2.0 ? 2
            : wanted >= 0x40000000 ? 0x40000000
            : TotalBuckets(SpareIndex((uint)wanted));
        int spare = SpareIndex(buckets);

        HashOpaque.Init(change, page, HashOpaque.InvalidBlock, HashOpaque.InvalidBucket, HashOpaque.MetaPage);
        Span<byte> meta = Of(change, page);
        const int BitmapShift = 12; // highest power of 2 within MaxContents
        uint highMask = BitOperations.RoundUpToPowerOf2(buckets + 1) - 1;
        Write(meta, 0, Magic);
        Write(meta, 4, Version);
        BinaryPrimitives.WriteUInt16LittleEndian(meta[16..], fillFactor);
        BinaryPrimitives.WriteUInt16LittleEndian(meta[18..], HashOpaque.MaxContents);
        BinaryPrimitives.WriteUInt16LittleEndian(meta[20..], 1 << BitmapShift);
        BinaryPrimitives.WriteUInt16LittleEndian(meta[22..], BitmapShift + 3);
        Write(meta, MaxBucketAt, buckets - 1);
        Write(meta, HighMaskAt, highMask);
        Write(meta, LowMaskAt, highMask >> 1);
        Write(meta, OverflowPointAt, (uint)spare);
        main.Slice(8, 4).CopyTo(meta[48..]);
        Write(meta, SparesAt + (spare * 4), 1);
        BufPage.SetLower(page, BufPage.HeaderSize + Size);
    }

    /// <summary><c>XLOG_HASH_INIT_BITMAP_PAGE</c>: the first bitmap page comes after the initial buckets.</summary>
    public static void AddFirstBitmap(in BlockChange change, Span<byte> page)
    {
        Span<byte> meta = Of(change, page);
        AddMap(change, meta, Read(meta, MaxBucketAt) + 2);
    }

    /// <summary>Changes the tuple count.</summary>
    public static void AddTuples(in BlockChange change, Span<byte> page, int tuples)
    {
        Span<byte> at = Of(change, page)[TuplesAt..];
        BinaryPrimitives.WriteDoubleLittleEndian(at, BinaryPrimitives.ReadDoubleLittleEndian(at) + tuples);
    }

    /// <summary><c>XLOG_HASH_UPDATE_META_PAGE</c>: sets the tuple count.</summary>
    public static void SetTuples(in BlockChange change, Span<byte> page) =>
        new RedoCursor(change.MainData).Take(change, 8).CopyTo(Of(change, page)[TuplesAt..]);

    /// <summary>Sets hashm_firstfree to the block's data.</summary>
    public static void SetFirstFree(in BlockChange change, Span<byte> page) =>
        Write(Of(change, page), FirstFreeAt, new RedoCursor(change.BlockData).UInt32(change));

    /// <summary><c>xl_hash_add_ovfl_page</c>: bmsize, bmpage_found. A bitmap page that is new, too, is block reference 3.</summary>
    public static void AddOverflowPage(in BlockChange change, Span<byte> page)
    {
        SetFirstFree(change, page);
        bool found = new RedoCursor(change.MainData).Take(change, 3)[2] != 0;
        if (found)
        {
            return;
        }

        Span<byte> meta = Of(change, page);
        uint spare = Read(meta, OverflowPointAt);
        uint added = 1;
        if (References.TryGet(change, 3, out uint map))
        {
            AddMap(change, meta, map);
            added = 2;
        }

        int at = SpareAt(change, spare);
        Write(meta, at, Read(meta, at) + added);
    }

    /// <summary><c>xl_hash_split_allocate_page</c>: new_bucket, two flags, and which of masks and split point follow as block data.</summary>
    public static void Split(in BlockChange change, Span<byte> page)
    {
        ReadOnlySpan<byte> main = new RedoCursor(change.MainData).Take(change, 9);
        int flags = main[8];
        Span<byte> meta = Of(change, page);
        Write(meta, MaxBucketAt, BinaryPrimitives.ReadUInt32LittleEndian(main));
        var data = new RedoCursor(change.BlockData);
        if ((flags & 1) != 0)
        {
            Write(meta, LowMaskAt, data.UInt32(change));
            Write(meta, HighMaskAt, data.UInt32(change));
        }

        if ((flags & 2) != 0)
        {
            uint spare = data.UInt32(change);
            Write(meta, SpareAt(change, spare), data.UInt32(change));
            Write(meta, OverflowPointAt, spare);
        }
    }

    private static Span<byte> Of(in BlockChange change, Span<byte> page)
    {
        HashOpaque.Of(change, page);
        return page.Slice(BufPage.HeaderSize, Size);
    }

    private static void AddMap(in BlockChange change, Span<byte> meta, uint block)
    {
        uint count = Read(meta, MapCountAt);
        if (count >= MaxMaps)
        {
            BufPage.Fail(change, $"the metapage has {count} bitmap pages");
        }

        Write(meta, MapsAt + ((int)count * 4), block);
        Write(meta, MapCountAt, count + 1);
    }

    private static int SpareAt(in BlockChange change, uint splitPoint)
    {
        if (splitPoint >= MaxSplitPoints)
        {
            BufPage.Fail(change, $"split point {splitPoint}");
        }

        return SparesAt + ((int)splitPoint * 4);
    }

    private static uint Read(ReadOnlySpan<byte> meta, int at) => BinaryPrimitives.ReadUInt32LittleEndian(meta[at..]);

    private static void Write(Span<byte> meta, int at, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(meta[at..], value);

    /// <summary><c>_hash_spareindex</c>: split point phase of a bucket count. Groups from 10 on have four phases.</summary>
    private static int SpareIndex(uint buckets)
    {
        int group = buckets <= 1 ? 0 : BitOperations.Log2(buckets - 1) + 1;
        return group < 10 ? group : 10 + ((group - 10) << 2) + (int)(((buckets - 1) >> (group - 3)) & 3);
    }

    /// <summary><c>_hash_get_totalbuckets</c>: buckets once a split point phase is complete.</summary>
    private static uint TotalBuckets(int phase)
    {
        if (phase < 10)
        {
            return 1u << phase;
        }

        int group = 10 + ((phase - 10) >> 2);
        uint before = 1u << (group - 1);
        return before + ((before >> 2) * (uint)(((phase - 10) & 3) + 1));
    }
}
