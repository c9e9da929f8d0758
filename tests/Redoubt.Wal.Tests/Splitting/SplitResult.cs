using System.Globalization;

namespace Redoubt.Wal.Tests.Splitting;

/// <summary>What a split gave: changes as stored bytes, the rest as sentences.</summary>
internal sealed class SplitResult
{
    public List<(PageKey Key, byte[] Encoded)> Changes { get; } = [];

    public List<string> Events { get; } = [];

    public static SplitResult Of(in WalRecord record, ControlState control, PgVersion version = PgVersion.Pg17)
    {
        var result = new SplitResult();
        var sink = new Sink(result);
        RecordSplitter.Split(version, record, control, ref sink);
        return result;
    }

    public BlockChange this[int index] => BlockChange.Decode(Changes[index].Key, new Lsn(0x2000100), Changes[index].Encoded);

    /// <summary>Applies all changes of a page to it.</summary>
    public void Apply(PageKey key, byte[] page)
    {
        foreach (var (changed, encoded) in Changes)
        {
            if (changed == key)
            {
                PageRedo.Apply(PgVersion.Pg17, BlockChange.Decode(key, new Lsn(0x2000100), encoded), page);
            }
        }
    }

    private readonly struct Sink(SplitResult result) : IRecordSink
    {
        public void Block(in BlockChange change)
        {
            byte[] encoded = new byte[change.EncodedLength];
            change.Encode(encoded);
            result.Changes.Add((change.Key, encoded));
        }

        public void RelationCreated(in RelFileLocator rel, Fork fork) => Add($"created {rel} {fork}");

        public void RelationTruncated(in RelFileLocator rel, Fork fork, uint blocks) => Add($"truncated {rel} {fork} {blocks}");

        public void RelationDropped(in RelFileLocator rel) => Add($"dropped {rel}");

        public void DatabaseCreated(uint dbOid, uint spcOid) => Add($"database {dbOid} {spcOid}");

        public void DatabaseCopied(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid) =>
            Add($"database {dbOid} {spcOid} from {sourceDbOid} {sourceSpcOid}");

        public void DatabaseDropped(uint dbOid, uint spcOid) => Add($"database dropped {dbOid} {spcOid}");

        public void TablespaceCreated(uint spcOid, ReadOnlySpan<byte> path) => Add($"tablespace {spcOid} {System.Text.Encoding.UTF8.GetString(path)}");

        public void TablespaceDropped(uint spcOid) => Add($"tablespace dropped {spcOid}");

        public void RelationMap(uint dbOid, uint spcOid, ReadOnlySpan<byte> contents) => Add($"map {dbOid} {spcOid} {contents.Length}");

        public void Prepared(ulong fullXid, ReadOnlySpan<byte> state) => Add($"prepared {fullXid} {state.Length}");

        public void PreparedFinished(ulong fullXid) => Add($"finished {fullXid}");

        public void SlruTruncated(Fork slru, uint firstPage) => Add($"truncated {slru} {firstPage}");

        public void MembersTruncated(uint from, uint to) => Add($"members truncated {from} {to}");

        public void OriginProgress(ushort originId, Lsn remoteLsn, Lsn localLsn) => Add($"origin {originId} {remoteLsn} {localLsn}");

        private void Add(FormattableString text) => result.Events.Add(text.ToString(CultureInfo.InvariantCulture));
    }
}
