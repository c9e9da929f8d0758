using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <content>What each kind of thing that a record or an import item says becomes in the store.</content>
internal sealed partial class ApplyBatch
{
    private const byte AllForks = 255;
    private static readonly byte[] Forks = [(byte)Fork.Main, (byte)Fork.FreeSpaceMap, (byte)Fork.VisibilityMap, (byte)Fork.Init];

    private void Import(ImportItem item)
    {
        switch (item.Kind)
        {
            case ImportItemKind.Pages:
                for (int i = 0; i < item.PageCount; i++)
                {
                    var key = item.PageKeyAt(i);
                    if (_router.GroupOf(key) == _group)
                    {
                        Grow(key);
                        PutImage(key, item.PageAt(i));
                    }
                }

                break;
            case ImportItemKind.ForkSize:
                var fork = item.Fork;
                SetSize(fork.Rel, (byte)fork.Fork, Math.Max(fork.Block, SizeOf(fork.Rel, (byte)fork.Fork) ?? 0));
                break;
            case ImportItemKind.File:
                Small(StoreKeys.SmallFile, StoreKeys.PathName(item.Path), item.Contents);
                break;
            case ImportItemKind.Database:
                Small(StoreKeys.Database, StoreKeys.Numbers(item.Oid, item.DatabaseSpace), []);
                break;
            case ImportItemKind.Tablespace:
                Small(StoreKeys.Tablespace, StoreKeys.Numbers(0, item.Oid), Encoding.UTF8.GetBytes(item.Path));
                break;
            case ImportItemKind.Control:
                _control = ControlState.Decode(item.Contents);
                _hasControl = true;
                break;
            default:
                throw new LogFrameException($"import item of unknown kind {item.Kind}");
        }
    }

    private void RelationCreated(in RelFileLocator rel, Fork fork)
    {
        if (SizeOf(rel, (byte)fork) is null)
        {
            SetSize(rel, (byte)fork, 0);
        }
    }

    private void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks)
    {
        if (SizeOf(rel, (byte)fork) is { } size && size > blocks)
        {
            SetSize(rel, (byte)fork, blocks);
            Cut(rel, (byte)fork, blocks);
        }
    }

    private void RelationDropped(in RelFileLocator rel)
    {
        bool any = false;
        foreach (byte fork in Forks)
        {
            if (SizeOf(rel, fork) is not null)
            {
                SetSize(rel, fork, null);
                any = true;
            }
        }

        if (any)
        {
            Cut(rel, AllForks, 0);
        }
    }

    private void SlruTruncated(Fork slru, uint firstPage)
    {
        if (_group == 0 && !SlruOrder.IsApparentWraparound(slru, firstPage, _control!))
        {
            Cut(default, (byte)slru, firstPage);
        }
    }

    private void MembersTruncated(uint from, uint to)
    {
        if (_group == 0)
        {
            Cut(default, (byte)Fork.SlruMultiXactMembers, to, from);
        }
    }

    private void DatabaseCreated(uint dbOid, uint spcOid)
    {
        Small(StoreKeys.Database, StoreKeys.Numbers(dbOid, spcOid), []);
        if (_group == 0)
        {
            Small(StoreKeys.SmallFile, StoreKeys.PathName(DataPaths.DatabaseFolder(_version, dbOid, spcOid) + "/PG_VERSION"),
                Encoding.ASCII.GetBytes(((int)_version).ToString(CultureInfo.InvariantCulture) + "\n"));
        }
    }

    /// <remarks>The copy is made of images at this LSN, whatever chains the source has: chains of other LSNs could hide behind an older drop
    /// of a database with the same oid.</remarks>
    private void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid)
    {
        Commit();
        Small(StoreKeys.Database, StoreKeys.Numbers(dbOid, spcOid), []);
        ulong at = _lsn;
        var prefix = StoreKeys.Numbers(sourceSpcOid, sourceDbOid);
        var sizes = new List<(RelFileLocator Rel, byte Fork, uint Blocks)>();
        _store.ForEachNewest(StoreKeys.ForkSize, prefix, at, (name, value) =>
        {
            if (PageStore.DecodeSize(value) is { } blocks)
            {
                var (rel, fork, _) = StoreKeys.ReadFork([StoreKeys.ForkSize, .. name, .. new byte[8]]);
                sizes.Add((rel, fork, blocks));
            }
        });
        var reader = new PageReader(_version);
        var page = new byte[PageRedo.PageSize];
        using var iterator = _store.NewIterator();
        using var scan = _store.NewIterator(scan: true);
        foreach (var (rel, fork, blocks) in sizes)
        {
            var target = new RelFileLocator(spcOid, dbOid, rel.RelNumber);
            SetSize(target, fork, blocks);
            foreach (var key in KeysOf(scan, rel, fork, blocks))
            {
                if (reader.Read(iterator, key, at, _store.Cuts.Floor(key, at), page))
                {
                    _ordinal = 0;
                    PutImage(key with { Rel = target }, page);
                    if (_batchBytes > MaxBatchBytes)
                    {
                        Write();
                    }
                }
            }
        }

        CopyFreeSpace(dbOid, spcOid, sourceDbOid, sourceSpcOid);
        string from = DataPaths.DatabaseFolder(_version, sourceDbOid, sourceSpcOid) + "/";
        string to = DataPaths.DatabaseFolder(_version, dbOid, spcOid) + "/";
        ForEachFile(from, at, (path, contents) => Small(StoreKeys.SmallFile, StoreKeys.PathName(to + path[from.Length..]), contents.AsSpan(1)));
    }

    private void DatabaseDropped(uint dbOid, uint spcOid)
    {
        Commit();
        ulong at = _lsn;
        Small(StoreKeys.Database, StoreKeys.Numbers(dbOid, spcOid), [], exists: false);
        _store.ForEachNewest(StoreKeys.ForkSize, StoreKeys.Numbers(spcOid, dbOid), at, (name, value) =>
        {
            if (PageStore.DecodeSize(value) is not null)
            {
                var (rel, fork, _) = StoreKeys.ReadFork([StoreKeys.ForkSize, .. name, .. new byte[8]]);
                SetSize(rel, fork, null);
            }
        });
        Cut(new RelFileLocator(spcOid, dbOid, 0), AllForks, 0);
        ForEachFile(DataPaths.DatabaseFolder(_version, dbOid, spcOid) + "/", at,
            (path, _) => Small(StoreKeys.SmallFile, StoreKeys.PathName(path), [], exists: false));
    }

    private void ForEachFile(string folder, ulong at, Action<string, byte[]> visit) =>
        _store.ForEachNewest(StoreKeys.SmallFile, Encoding.UTF8.GetBytes(folder), at, (name, value) =>
        {
            if (value[0] == 1)
            {
                visit(Encoding.UTF8.GetString(name.AsSpan(..^1)), value);
            }
        });

    private static List<PageKey> KeysOf(Rocks.Iterator scan, RelFileLocator rel, byte fork, uint blocks)
    {
        var keys = new List<PageKey>();
        Span<byte> seek = stackalloc byte[StoreKeys.PageLength];
        uint block = 0;
        while (block < blocks)
        {
            StoreKeys.WritePage(seek, new PageKey(rel, (Fork)fork, block), 0, 0);
            scan.Seek((ReadOnlySpan<byte>)seek);
            if (!scan.Valid())
            {
                PageStore.Check(scan);
                break;
            }

            var found = scan.GetKeySpan();
            if (found[0] != StoreKeys.Page)
            {
                break;
            }

            var key = PageKey.Read(found[1..]);
            if (key.Rel != rel || (byte)key.Fork != fork || key.Block >= blocks)
            {
                break;
            }

            keys.Add(key);
            block = key.Block + 1;
        }

        return keys;
    }

    private readonly struct Sink(ApplyBatch batch) : IRecordSink
    {
        public void Block(in BlockChange change) => batch.Block(change);

        public void RelationCreated(in RelFileLocator rel, Fork fork) => batch.RelationCreated(rel, fork);

        public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks) => batch.RelationTruncated(rel, fork, blocks);

        public void RelationDropped(in RelFileLocator rel) => batch.RelationDropped(rel);

        public void DatabaseCreated(uint dbOid, uint spcOid) => batch.DatabaseCreated(dbOid, spcOid);

        public void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid) =>
            batch.DatabaseCopied(dbOid, spcOid, sourceDbOid, sourceSpcOid);

        public void DatabaseDropped(uint dbOid, uint spcOid) => batch.DatabaseDropped(dbOid, spcOid);

        public void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path) =>
            batch.Small(StoreKeys.Tablespace, StoreKeys.Numbers(0, spcOid), path);

        public void TablespaceDropped(uint spcOid) =>
            batch.Small(StoreKeys.Tablespace, StoreKeys.Numbers(0, spcOid), [], exists: false);

        public void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents) => batch.Small(
            StoreKeys.SmallFile, StoreKeys.PathName(DataPaths.RelationMap(batch._version, dbOid, spcOid)), contents);

        public void Prepared(ulong fullXid, ReadOnlySpan<byte> state) =>
            batch.Small(StoreKeys.Prepared, StoreKeys.Number(fullXid), state);

        public void PreparedFinished(ulong fullXid) =>
            batch.Small(StoreKeys.Prepared, StoreKeys.Number(fullXid), [], exists: false);

        public void SlruTruncated(Fork slru, uint firstPage) => batch.SlruTruncated(slru, firstPage);

        public void MembersTruncated(uint from, uint to) => batch.MembersTruncated(from, to);

        public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn)
        {
            Span<byte> name = stackalloc byte[2];
            BinaryPrimitives.WriteUInt16BigEndian(name, originId);
            Span<byte> value = stackalloc byte[16];
            BinaryPrimitives.WriteUInt64LittleEndian(value, remoteLsn.Value);
            BinaryPrimitives.WriteUInt64LittleEndian(value[8..], localLsn.Value);
            batch.Small(StoreKeys.Origin, name, value, exists: remoteLsn.IsValid);
        }
    }
}
