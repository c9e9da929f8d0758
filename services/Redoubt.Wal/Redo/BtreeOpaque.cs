using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>A B-tree page's special space (<c>BTPageOpaqueData</c>, access/nbtree.h): previous, next, level, flags, cycle id.</summary>
internal static class BtreeOpaque
{
    public const int Leaf = 1 << 0;
    public const int Root = 1 << 1;
    public const int Deleted = 1 << 2;
    public const int Meta = 1 << 3;
    public const int HalfDead = 1 << 4;
    public const int SplitEnd = 1 << 5;
    public const int HasGarbage = 1 << 6;
    public const int IncompleteSplit = 1 << 7;
    public const int HasFullXid = 1 << 8;

    /// <summary><c>sizeof(BTPageOpaqueData)</c>.</summary>
    public const int Size = 16;

    /// <summary><c>_bt_pageinit</c>.</summary>
    public static void Init(Span<byte> page) => BufPage.Init(page, Size);

    public static Span<byte> Of(in BlockChange change, Span<byte> page) => BufPage.Special(change, page, Size);

    public static void SetPrevious(Span<byte> opaque, uint block) => BinaryPrimitives.WriteUInt32LittleEndian(opaque, block);

    public static uint Next(ReadOnlySpan<byte> opaque) => BinaryPrimitives.ReadUInt32LittleEndian(opaque[4..]);

    public static void SetNext(Span<byte> opaque, uint block) => BinaryPrimitives.WriteUInt32LittleEndian(opaque[4..], block);

    public static void SetLevel(Span<byte> opaque, uint level) => BinaryPrimitives.WriteUInt32LittleEndian(opaque[8..], level);

    public static int Flags(ReadOnlySpan<byte> opaque) => BinaryPrimitives.ReadUInt16LittleEndian(opaque[12..]);

    public static void SetFlags(Span<byte> opaque, int flags) => BinaryPrimitives.WriteUInt16LittleEndian(opaque[12..], (ushort)flags);

    public static void SetCycleId(Span<byte> opaque, ushort id) => BinaryPrimitives.WriteUInt16LittleEndian(opaque[14..], id);

    /// <summary><c>P_FIRSTDATAKEY</c>: 1 on the rightmost page of a level, else 2, after the high key.</summary>
    public static int FirstDataKey(ReadOnlySpan<byte> opaque) => Next(opaque) == 0 ? 1 : 2;
}
