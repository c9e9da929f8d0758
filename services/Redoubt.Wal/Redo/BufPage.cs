using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <summary>
/// A standard page (<c>PageHeaderData</c>, storage/bufpage.h): the operations of storage/page/bufpage.c on a span of exactly 8,192 bytes,
/// leaving the bytes that PostgreSQL would leave. Nothing here allocates, and nothing trusts the page: a layout that PostgreSQL could not
/// have made is a <see cref="RedoException"/> that names the change.
/// </summary>
/// <remarks>
/// Offset numbers count from 1, as in PostgreSQL; 0 is <c>InvalidOffsetNumber</c>.
/// The change is passed along only to name the record in errors.
/// </remarks>
internal static partial class BufPage
{
    /// <summary><c>BLCKSZ</c>.</summary>
    public const int Size = PageRedo.PageSize;

    /// <summary><c>SizeOfPageHeaderData</c>; also where <c>PageGetContents</c> points.</summary>
    public const int HeaderSize = 24;

    /// <summary><c>sizeof(ItemIdData)</c>.</summary>
    public const int ItemIdSize = 4;

    /// <summary><c>MaxHeapTuplesPerPage</c> (access/htup_details.h) for 8 KiB pages.</summary>
    public const int MaxHeapTuples = (Size - HeaderSize) / (24 + ItemIdSize);

    /// <summary><c>MaxIndexTuplesPerPage</c> (access/itup.h) for 8 KiB pages.</summary>
    public const int MaxIndexTuples = (Size - HeaderSize) / (16 + ItemIdSize);

    /// <summary><c>PD_HAS_FREE_LINES</c>.</summary>
    public const ushort HasFreeLines = 0x0001;

    /// <summary><c>PD_PAGE_FULL</c>.</summary>
    public const ushort PageFull = 0x0002;

    /// <summary><c>PD_ALL_VISIBLE</c>.</summary>
    public const ushort AllVisible = 0x0004;

    /// <summary><c>pg_pagesize</c> 8192 | <c>PG_PAGE_LAYOUT_VERSION</c> 4.</summary>
    private const ushort SizeAndVersion = 0x2004;

    /// <summary><c>MAXALIGN</c>: the next multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int MaxAlign(int length) => (length + 7) & ~7;

    /// <summary><c>pd_lsn</c> (high half first, each half little-endian).</summary>
    public static Lsn GetLsn(ReadOnlySpan<byte> page) => new(
        ((ulong)BinaryPrimitives.ReadUInt32LittleEndian(page) << 32) | BinaryPrimitives.ReadUInt32LittleEndian(page[4..]));

    /// <summary><c>PageSetLSN</c>.</summary>
    public static void SetLsn(Span<byte> page, Lsn lsn)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(page, (uint)(lsn.Value >> 32));
        BinaryPrimitives.WriteUInt32LittleEndian(page[4..], (uint)lsn.Value);
    }

    /// <summary><c>pd_flags</c>.</summary>
    public static ushort GetFlags(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt16LittleEndian(page[10..]);

    /// <summary>Sets bits of <c>pd_flags</c>.</summary>
    public static void SetFlags(Span<byte> page, ushort bits) =>
        BinaryPrimitives.WriteUInt16LittleEndian(page[10..], (ushort)(GetFlags(page) | bits));

    /// <summary>Clears bits of <c>pd_flags</c>.</summary>
    public static void ClearFlags(Span<byte> page, ushort bits) =>
        BinaryPrimitives.WriteUInt16LittleEndian(page[10..], (ushort)(GetFlags(page) & ~bits));

    /// <summary><c>pd_lower</c>: end of the line pointers, bytes from the page's start. Not checked.</summary>
    public static int GetLower(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt16LittleEndian(page[12..]);

    public static void SetLower(Span<byte> page, int lower) => BinaryPrimitives.WriteUInt16LittleEndian(page[12..], (ushort)lower);

    /// <summary><c>pd_upper</c>: start of the tuples. Not checked.</summary>
    public static int GetUpper(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt16LittleEndian(page[14..]);

    public static void SetUpper(Span<byte> page, int upper) => BinaryPrimitives.WriteUInt16LittleEndian(page[14..], (ushort)upper);

    /// <summary><c>pd_special</c>: start of the special space. Not checked.</summary>
    public static int GetSpecial(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt16LittleEndian(page[16..]);

    /// <summary><c>pd_prune_xid</c>.</summary>
    public static uint GetPruneXid(ReadOnlySpan<byte> page) => BinaryPrimitives.ReadUInt32LittleEndian(page[20..]);

    public static void SetPruneXid(Span<byte> page, uint xid) => BinaryPrimitives.WriteUInt32LittleEndian(page[20..], xid);

    /// <summary><c>PageIsNew</c>: never initialised.</summary>
    public static bool IsNew(ReadOnlySpan<byte> page) => GetUpper(page) == 0;

    /// <summary><c>PageIsEmpty</c>: no line pointers.</summary>
    public static bool IsEmpty(ReadOnlySpan<byte> page) => GetLower(page) <= HeaderSize;

    /// <summary><c>PageInit</c> with a special space of <paramref name="specialSize"/> bytes.</summary>
    public static void Init(Span<byte> page, int specialSize)
    {
        page = page[..Size];
        page.Clear();
        int special = Size - MaxAlign(specialSize);
        SetLower(page, HeaderSize);
        SetUpper(page, special);
        BinaryPrimitives.WriteUInt16LittleEndian(page[16..], (ushort)special);
        BinaryPrimitives.WriteUInt16LittleEndian(page[18..], SizeAndVersion);
    }

    /// <summary>Throws unless the three pointers of the header are in order and inside the page, and special is 8-aligned.</summary>
    public static void CheckHeader(in BlockChange change, ReadOnlySpan<byte> page)
    {
        int lower = GetLower(page), upper = GetUpper(page), special = GetSpecial(page);
        if (lower < HeaderSize || lower > upper || upper > special || special > Size || (special & 7) != 0)
        {
            Fail(change, $"page header is corrupt: lower {lower}, upper {upper}, special {special}");
        }
    }

    /// <summary>The special space of a page that must have exactly <paramref name="size"/> (8-aligned) bytes of it.</summary>
    public static Span<byte> Special(in BlockChange change, Span<byte> page, int size)
    {
        int aligned = MaxAlign(size);
        if (GetSpecial(page) != Size - aligned)
        {
            Fail(change, $"special space begins at {GetSpecial(page)}, not at {Size - aligned}");
        }

        return page.Slice(Size - aligned, size);
    }

    /// <summary><c>PageGetMaxOffsetNumber</c>; the line pointers up to it lie inside the page.</summary>
    public static int MaxOffset(in BlockChange change, ReadOnlySpan<byte> page)
    {
        int lower = GetLower(page);
        if (lower > Size)
        {
            Fail(change, $"page header is corrupt: lower {lower}");
        }

        return lower <= HeaderSize ? 0 : (lower - HeaderSize) / ItemIdSize;
    }

    /// <summary><c>PageGetExactFreeSpace</c>.</summary>
    public static int ExactFreeSpace(ReadOnlySpan<byte> page) => Math.Max(0, GetUpper(page) - GetLower(page));

    /// <summary><c>PageGetFreeSpace</c>: room beside one more line pointer.</summary>
    public static int FreeSpace(ReadOnlySpan<byte> page) => FreeSpaceForMultipleTuples(page, 1);

    /// <summary><c>PageGetFreeSpaceForMultipleTuples</c>.</summary>
    public static int FreeSpaceForMultipleTuples(ReadOnlySpan<byte> page, int tuples)
    {
        int space = GetUpper(page) - GetLower(page);
        return space < tuples * ItemIdSize ? 0 : space - (tuples * ItemIdSize);
    }

    /// <summary><c>PageGetHeapFreeSpace</c>: 0 when no more line pointers are allowed.</summary>
    public static int HeapFreeSpace(in BlockChange change, ReadOnlySpan<byte> page)
    {
        int space = FreeSpace(page);
        int lines = MaxOffset(change, page);
        if (space == 0 || lines < MaxHeapTuples)
        {
            return space;
        }

        if ((GetFlags(page) & HasFreeLines) == 0)
        {
            return 0;
        }

        for (int offset = 1; offset <= lines; offset++)
        {
            if (GetItemId(page, offset).IsUnused)
            {
                return space;
            }
        }

        return 0;
    }

    /// <summary>The record or page is not one that redo can act on.</summary>
    [DoesNotReturn]
    public static void Fail(in BlockChange change, string message) =>
        throw new RedoException(change.Key, change.Lsn, change.Rmgr, change.Info, message);
}
