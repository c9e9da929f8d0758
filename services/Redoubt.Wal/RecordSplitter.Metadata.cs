using System.Buffers.Binary;
using Redoubt.Wal.Redo;

namespace Redoubt.Wal;

/// <content>Files, databases, tablespaces, relation maps, prepared transactions, replication origins.</content>
public static partial class RecordSplitter
{
    private const byte StorageCreate = 0x10;
    private const byte DatabaseCopy = 0x00;
    private const byte DatabaseCreate = 0x10;
    private const byte TablespaceCreate = 0x00;
    private const byte OriginSet = 0x00;
    private const int TruncateHeap = 1;
    private const int TruncateVisibilityMap = 2;
    private const int TruncateFreeSpaceMap = 4;

    private static void SplitStorage<TSink>(scoped in WalRecord record, byte kind, ReadOnlySpan<byte> data, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        var reader = new ByteReader(record.Start, data);
        if (kind == StorageCreate)
        {
            RelFileLocator created = reader.RelFileLocator();
            int fork = reader.Int32();
            if (fork is < 0 or > (int)Fork.Init)
            {
                throw new WalFormatException(record.Start, $"Fork {fork} does not exist.");
            }

            sink.RelationCreated(created, (Fork)fork);
            return;
        }

        uint blocks = reader.UInt32();
        RelFileLocator rel = reader.RelFileLocator();
        int flags = reader.Int32();
        sink.RelationCreated(rel, Fork.Main);
        if ((flags & TruncateHeap) != 0)
        {
            sink.RelationTruncated(rel, Fork.Main, blocks);
        }

        if ((flags & TruncateFreeSpaceMap) != 0)
        {
            uint map = FreeSpaceMap.BlockOf(0, blocks / FreeSpaceMap.SlotsPerPage);
            if (blocks % FreeSpaceMap.SlotsPerPage != 0)
            {
                EmitMapTruncate(record, new PageKey(rel, Fork.FreeSpaceMap, map), ImplicitChange.FreeSpaceMapTruncate, blocks, ref sink);
                map++;
            }

            sink.RelationTruncated(rel, Fork.FreeSpaceMap, map);
        }

        if ((flags & TruncateVisibilityMap) != 0)
        {
            uint map = VisibilityMap.MapBlock(blocks);
            if (blocks % VisibilityMap.HeapBlocksPerPage != 0)
            {
                EmitMapTruncate(record, new PageKey(rel, Fork.VisibilityMap, map), ImplicitChange.VisibilityMapTruncate, blocks, ref sink);
                map++;
            }

            sink.RelationTruncated(rel, Fork.VisibilityMap, map);
        }
    }

    private static unsafe void EmitMapTruncate<TSink>(scoped in WalRecord record, scoped in PageKey key, ImplicitChange kind, uint heapBlocks, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        byte* arguments = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(new Span<byte>(arguments, 4), heapBlocks);
        EmitImplicit(record, key, kind, BlockChangeFlags.None, new ReadOnlySpan<byte>(arguments, 4), ref sink);
    }

    private static void SplitDatabase<TSink>(scoped in WalRecord record, byte kind, ReadOnlySpan<byte> data, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        var reader = new ByteReader(record.Start, data);
        uint db = reader.UInt32();
        switch (kind)
        {
            case DatabaseCopy:
            {
                uint spc = reader.UInt32();
                uint sourceDb = reader.UInt32();
                sink.DatabaseCopied(db, spc, sourceDb, reader.UInt32());
                break;
            }

            case DatabaseCreate:
                sink.DatabaseCreated(db, reader.UInt32());
                break;
            default:
                for (int left = reader.Count(4); left > 0; left--)
                {
                    sink.DatabaseDropped(db, reader.UInt32());
                }

                break;
        }
    }

    private static void SplitTablespace<TSink>(scoped in WalRecord record, byte kind, ReadOnlySpan<byte> data, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        var reader = new ByteReader(record.Start, data);
        uint spc = reader.UInt32();
        if (kind != TablespaceCreate)
        {
            sink.TablespaceDropped(spc);
            return;
        }

        int end = reader.Rest.IndexOf((byte)0);
        sink.TablespaceCreated(spc, end < 0 ? reader.Rest : reader.Rest[..end]);
    }

    private static void SplitRelMap<TSink>(scoped in WalRecord record, ReadOnlySpan<byte> data, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        var reader = new ByteReader(record.Start, data);
        uint db = reader.UInt32();
        uint spc = reader.UInt32();
        sink.RelationMap(db, spc, reader.Take(reader.Count(1)));
    }

    private static void SplitOrigin<TSink>(scoped in WalRecord record, byte kind, ReadOnlySpan<byte> data, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        var reader = new ByteReader(record.Start, data);
        if (kind == OriginSet)
        {
            var remote = new Lsn(reader.UInt64());
            sink.OriginProgress(reader.UInt16(), remote, record.End);
        }
        else
        {
            sink.OriginProgress(reader.UInt16(), Lsn.Invalid, Lsn.Invalid);
        }
    }

    private static void SplitPrepare<TSink>(scoped in WalRecord record, scoped in RecordParts parts, ControlState control, ref TSink sink)
        where TSink : struct, IRecordSink, allows ref struct
    {
        // xl_xact_prepare (access/xact.h): xid at 8, origin_lsn at 56.
        var reader = new ByteReader(record.Start, parts.MainData);
        reader.Take(8);
        uint xid = reader.UInt32();
        reader.Take(44);
        var originLsn = new Lsn(reader.UInt64());
        sink.Prepared(control.FullXid(xid), parts.MainData);
        if (parts.OriginId != 0)
        {
            sink.OriginProgress(parts.OriginId, originLsn, record.End);
        }
    }
}
