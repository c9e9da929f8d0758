using System.Buffers.Binary;

namespace Redoubt.Wal;

/// <summary>Offsets in <c>CheckPoint</c> and <c>ControlFileData</c> (catalog/pg_control.h) that are the same in 17 and 18.</summary>
internal static class CheckPointFields
{
    /// <summary><c>sizeof(CheckPoint)</c>.</summary>
    public const int Length = 88;

    public const int Redo = 0;
    public const int ThisTimeLine = 8;
    public const int PrevTimeLine = 12;
    public const int FullPageWrites = 16;
    public const int WalLevel = 20;
    public const int NextXid = 24;
    public const int NextOid = 32;
    public const int NextMulti = 36;
    public const int NextMultiOffset = 40;
    public const int OldestXid = 44;
    public const int OldestXidDb = 48;
    public const int OldestMulti = 52;
    public const int OldestMultiDb = 56;
    public const int Time = 64;
    public const int OldestCommitTsXid = 72;
    public const int NewestCommitTsXid = 76;
    public const int OldestActiveXid = 80;

    public static uint UInt32(ReadOnlySpan<byte> checkPoint, int field) => BinaryPrimitives.ReadUInt32LittleEndian(checkPoint[field..]);

    public static ulong UInt64(ReadOnlySpan<byte> checkPoint, int field) => BinaryPrimitives.ReadUInt64LittleEndian(checkPoint[field..]);

    public static void Put(Span<byte> checkPoint, int field, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(checkPoint[field..], value);

    public static void Put(Span<byte> checkPoint, int field, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(checkPoint[field..], value);
}

/// <summary>Offsets in <c>ControlFileData</c> (catalog/pg_control.h) that are the same in 17 and 18.</summary>
internal static class ControlFields
{
    /// <summary><c>PG_CONTROL_FILE_SIZE</c>.</summary>
    public const int FileLength = 8192;

    public const int SystemIdentifier = 0;
    public const int ControlVersion = 8;
    public const int CatalogVersion = 12;
    public const int State = 16;
    public const int Time = 24;
    public const int CheckPoint = 32;
    public const int CheckPointCopy = 40;
    public const int MinRecoveryPoint = 136;
    public const int MinRecoveryPointTimeLine = 144;
    public const int BackupStartPoint = 152;
    public const int BackupEndPoint = 160;
    public const int BackupEndRequired = 168;
    public const int WalLevel = 172;
    public const int WalLogHints = 176;
    public const int MaxConnections = 180;
    public const int MaxWorkerProcesses = 184;
    public const int MaxWalSenders = 188;
    public const int MaxPreparedXacts = 192;
    public const int MaxLocksPerXact = 196;
    public const int TrackCommitTimestamp = 200;
    public const int BlockSize = 216;
    public const int XlogBlockSize = 224;
    public const int XlogSegmentSize = 228;
    public const int DataChecksumVersion = 252;

    /// <summary><c>DB_SHUTDOWNED</c>.</summary>
    public const uint StateShutDown = 1;

    /// <summary><c>DB_IN_ARCHIVE_RECOVERY</c>.</summary>
    public const uint StateInArchiveRecovery = 5;
}
