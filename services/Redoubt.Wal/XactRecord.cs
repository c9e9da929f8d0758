using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>
/// A commit or abort record's data taken apart (<c>ParseCommitRecord</c>, <c>ParseAbortRecord</c>, access/rmgrdesc/xactdesc.c).
/// Subtransactions and relations stay as the bytes they are: 4 and 12 bytes each.
/// </summary>
internal ref struct XactRecord
{
    private const byte OpMask = 0x70;
    private const byte HasInfo = 0x80;
    private const uint HasDbInfo = 1 << 0;
    private const uint HasSubxacts = 1 << 1;
    private const uint HasRelFileLocators = 1 << 2;
    private const uint HasInvals = 1 << 3;
    private const uint HasTwoPhase = 1 << 4;
    private const uint HasOriginFlag = 1 << 5;
    private const uint HasGid = 1 << 7;
    private const uint HasDroppedStats = 1 << 8;

    public const byte Commit = 0x00;
    public const byte Prepare = 0x10;
    public const byte Abort = 0x20;
    public const byte CommitPrepared = 0x30;
    public const byte AbortPrepared = 0x40;
    public const byte Assignment = 0x50;
    public const byte Invalidations = 0x60;

    /// <summary>The transaction that ended: of <c>xl_xid</c>, or the prepared one.</summary>
    public uint Xid;

    /// <summary><c>xact_time</c>, or the origin's time of commit.</summary>
    public long Timestamp;

    /// <summary>Bytes of the subtransactions' xids.</summary>
    public ReadOnlySpan<byte> Subxids;

    /// <summary>Bytes of the dropped relations' <c>RelFileLocator</c>s.</summary>
    public ReadOnlySpan<byte> DroppedRels;

    public bool HasOrigin;

    public Lsn OriginLsn;

    public readonly int SubxidCount => Subxids.Length / 4;

    public readonly uint Subxid(int i) => BinaryPrimitives.ReadUInt32LittleEndian(Subxids[(4 * i)..]);

    /// <summary>The kind of a Transaction record.</summary>
    public static byte Op(byte info) => (byte)(info & OpMask);

    /// <summary>True for the four kinds that end a transaction.</summary>
    public static bool EndsTransaction(byte info) => Op(info) is Commit or Abort or CommitPrepared or AbortPrepared;

    /// <summary>True for commits.</summary>
    public static bool IsCommit(byte info) => Op(info) is Commit or CommitPrepared;

    /// <summary>Takes apart the data of a record for which <see cref="EndsTransaction"/> holds.</summary>
    /// <exception cref="WalFormatException">Lengths do not fit.</exception>
    public static XactRecord Parse(PgVersion version, scoped in WalRecord record, ReadOnlySpan<byte> data)
    {
        byte info = record.Info;
        var reader = new ByteReader(record.Start, data);
        var result = new XactRecord { Xid = record.Xid, Timestamp = reader.Int64() };
        uint xinfo = (info & HasInfo) != 0 ? reader.UInt32() : 0;
        if ((xinfo & HasDbInfo) != 0)
        {
            reader.Take(8);
        }

        if ((xinfo & HasSubxacts) != 0)
        {
            result.Subxids = reader.Take(reader.Count(4) * 4);
        }

        if ((xinfo & HasRelFileLocators) != 0)
        {
            result.DroppedRels = reader.Take(reader.Count(12) * 12);
        }

        if ((xinfo & HasDroppedStats) != 0)
        {
            int size = VersionFormat.Of(version).XactStatsItemSize;
            reader.Take(reader.Count(size) * size);
        }

        if ((xinfo & HasInvals) != 0 && IsCommit(info))
        {
            reader.Take(reader.Count(16) * 16);
        }

        if ((xinfo & HasTwoPhase) != 0)
        {
            uint xid = reader.UInt32();
            if (Op(info) is CommitPrepared or AbortPrepared)
            {
                result.Xid = xid;
            }

            if ((xinfo & HasGid) != 0)
            {
                int end = reader.Rest.IndexOf((byte)0);
                if (end < 0)
                {
                    throw new WalFormatException(record.Start, "The prepared transaction's name has no end.");
                }

                reader.Take(end + 1);
            }
        }

        if ((xinfo & HasOriginFlag) != 0)
        {
            result.HasOrigin = true;
            result.OriginLsn = new Lsn(reader.UInt64());
            long originTime = reader.Int64();
            if (IsCommit(info))
            {
                result.Timestamp = originTime;
            }
        }

        if (result.Xid < 3)
        {
            throw new WalFormatException(record.Start, $"The record ends transaction {result.Xid}, which is not a normal one.");
        }

        return result;
    }
}
