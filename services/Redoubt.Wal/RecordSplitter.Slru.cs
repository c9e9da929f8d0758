using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Redoubt.Wal.Redo;

namespace Redoubt.Wal;

/// <content>Commit log, commit timestamps and multixacts: pages that no record names.</content>
public static partial class RecordSplitter
{
    private const byte ZeroPage = 0x00;
    private const byte ZeroMembersPage = 0x10;
    private const byte CreateMultiXact = 0x20;
    private const byte TruncateMultiXact = 0x30;

    private static void SplitTransaction<TSink>(
        PgVersion version, scoped in WalRecord record, scoped in RecordParts parts, ControlState control, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        if (XactRecord.Op(record.Info) == XactRecord.Prepare)
        {
            SplitPrepare(record, parts, control, ref sink);
            return;
        }

        if (!XactRecord.EndsTransaction(record.Info))
        {
            return;
        }

        XactRecord end = XactRecord.Parse(version, record, parts.MainData);
        bool commit = XactRecord.IsCommit(record.Info);
        if (commit && control.TrackCommitTimestamp)
        {
            EmitCommitTimestamps(record, end, parts.OriginId, ref sink);
        }

        EmitXidStatus(record, end, commit ? Slru.Committed : Slru.Aborted, ref sink);
        if (end.HasOrigin && parts.OriginId != 0)
        {
            sink.OriginProgress(parts.OriginId, end.OriginLsn, record.End);
        }

        var dropped = new ByteReader(record.Start, end.DroppedRels);
        while (!dropped.Rest.IsEmpty)
        {
            sink.RelationDropped(dropped.RelFileLocator());
        }

        if (XactRecord.Op(record.Info) is XactRecord.CommitPrepared or XactRecord.AbortPrepared)
        {
            sink.PreparedFinished(control.FullXid(end.Xid));
        }
    }

    private static void EmitXidStatus<TSink>(scoped in WalRecord record, scoped in XactRecord end, byte status, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        Span<byte> header = stackalloc byte[1];
        header[0] = status;
        EmitXids(record, end, header, Fork.SlruXact, Slru.XidsPerClogPage, ImplicitChange.XidStatus, ref sink);
    }

    private static void EmitCommitTimestamps<TSink>(scoped in WalRecord record, scoped in XactRecord end, ushort originId, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        Span<byte> header = stackalloc byte[10];
        BinaryPrimitives.WriteInt64LittleEndian(header, end.Timestamp);
        BinaryPrimitives.WriteUInt16LittleEndian(header[8..], originId);
        EmitXids(record, end, header, Fork.SlruCommitTs, Slru.XidsPerCommitTsPage, ImplicitChange.CommitTimestamp, ref sink);
    }

    /// <summary>One change for every run of the tree's xids that lie on the same page: header, then 4 bytes per xid.</summary>
    [SkipLocalsInit]
    private static unsafe void EmitXids<TSink>(
        scoped in WalRecord record, scoped in XactRecord end, scoped ReadOnlySpan<byte> header, Fork slru, uint xidsPerPage, ImplicitChange kind, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        const int OnStack = 512;
        int needed = header.Length + (4 * (end.SubxidCount + 1));
        byte* stack = stackalloc byte[OnStack];
        byte[]? pooled = needed > OnStack ? ArrayPool<byte>.Shared.Rent(needed) : null;
        Span<byte> scratch = pooled ?? new Span<byte>(stack, OnStack);
        header.CopyTo(scratch);
        uint page = end.Xid / xidsPerPage;
        int at = header.Length;
        BinaryPrimitives.WriteUInt32LittleEndian(scratch[at..], end.Xid);
        at += 4;
        for (int i = 0; i < end.SubxidCount; i++)
        {
            uint xid = end.Subxid(i);
            if (xid / xidsPerPage != page)
            {
                EmitImplicit(record, PageKey.Slru(slru, page), kind, BlockChangeFlags.None, scratch[..at], ref sink);
                page = xid / xidsPerPage;
                at = header.Length;
            }

            BinaryPrimitives.WriteUInt32LittleEndian(scratch[at..], xid);
            at += 4;
        }

        EmitImplicit(record, PageKey.Slru(slru, page), kind, BlockChangeFlags.None, scratch[..at], ref sink);
        if (pooled is not null)
        {
            ArrayPool<byte>.Shared.Return(pooled);
        }
    }

    private static void SplitSlru<TSink>(scoped in WalRecord record, byte kind, ReadOnlySpan<byte> data, Fork slru, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        uint page = PageNumber(record, data);
        if (kind == ZeroPage)
        {
            EmitZeroPage(record, slru, page, ref sink);
        }
        else
        {
            sink.SlruTruncated(slru, page);
        }
    }

    private static void SplitMultiXact<TSink>(scoped in WalRecord record, byte kind, ReadOnlySpan<byte> data, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        switch (kind)
        {
            case ZeroPage:
                EmitZeroPage(record, Fork.SlruMultiXactOffsets, PageNumber(record, data), ref sink);
                break;
            case ZeroMembersPage:
                EmitZeroPage(record, Fork.SlruMultiXactMembers, PageNumber(record, data), ref sink);
                break;
            case CreateMultiXact:
                SplitCreateMultiXact(record, data, ref sink);
                break;
            case TruncateMultiXact:
            {
                var reader = new ByteReader(record.Start, data);
                reader.Take(8);
                uint oldest = reader.UInt32();
                uint firstMember = reader.UInt32();
                uint oldestMember = reader.UInt32();

                // PerformOffsetsTruncation keeps the page of the multixact before the oldest.
                uint before = oldest == 1 ? uint.MaxValue : oldest - 1;
                sink.MembersTruncated(Slru.MembersPage(firstMember), Slru.MembersPage(oldestMember));
                sink.SlruTruncated(Fork.SlruMultiXactOffsets, before / Slru.OffsetsPerPage);
                break;
            }
        }
    }

    /// <summary><c>RecordNewMultiXact</c>: the multixact's offset, the next one's (where its members end), and the members.</summary>
    private static unsafe void SplitCreateMultiXact<TSink>(scoped in WalRecord record, ReadOnlySpan<byte> data, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        var reader = new ByteReader(record.Start, data);
        uint multi = reader.UInt32();
        uint offset = reader.UInt32();
        int members = reader.Count(8);
        if (multi == 0)
        {
            throw new WalFormatException(record.Start, "The record makes multixact 0, which does not exist.");
        }

        EmitMultiXactOffset(record, multi, offset, ref sink);
        uint next = multi == uint.MaxValue ? 1 : multi + 1;
        uint nextOffset = offset + (uint)members;
        EmitMultiXactOffset(record, next, nextOffset == 0 ? 1 : nextOffset, ref sink);

        const int PerChunk = 100;
        byte* scratch = stackalloc byte[4 + (5 * PerChunk)];
        var arguments = new Span<byte>(scratch, 4 + (5 * PerChunk));
        while (members > 0)
        {
            uint page = Slru.MembersPage(offset);
            BinaryPrimitives.WriteUInt32LittleEndian(arguments, offset);
            int at = 4;
            while (members > 0 && at < arguments.Length && Slru.MembersPage(offset) == page)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(arguments[at..], reader.UInt32());
                arguments[at + 4] = (byte)reader.UInt32();
                at += 5;
                offset++;
                members--;
            }

            EmitImplicit(
                record,
                PageKey.Slru(Fork.SlruMultiXactMembers, page),
                ImplicitChange.MultiXactMembers,
                BlockChangeFlags.None,
                arguments[..at],
                ref sink);
        }
    }

    private static unsafe void EmitMultiXactOffset<TSink>(scoped in WalRecord record, uint multi, uint offset, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        byte* scratch = stackalloc byte[8];
        var arguments = new Span<byte>(scratch, 8);
        BinaryPrimitives.WriteUInt32LittleEndian(arguments, multi);
        BinaryPrimitives.WriteUInt32LittleEndian(arguments[4..], offset);
        EmitImplicit(
            record,
            PageKey.Slru(Fork.SlruMultiXactOffsets, multi / Slru.OffsetsPerPage),
            ImplicitChange.MultiXactOffset,
            BlockChangeFlags.None,
            arguments,
            ref sink);
    }

    private static void EmitZeroPage<TSink>(scoped in WalRecord record, Fork slru, uint page, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct =>
        EmitImplicit(record, PageKey.Slru(slru, page), ImplicitChange.SlruZeroPage, BlockChangeFlags.WillInit, default, ref sink);

    private static uint PageNumber(scoped in WalRecord record, ReadOnlySpan<byte> data)
    {
        long page = new ByteReader(record.Start, data).Int64();
        return page is >= 0 and <= uint.MaxValue
            ? (uint)page
            : throw new WalFormatException(record.Start, $"SLRU page {page} does not exist.");
    }
}
