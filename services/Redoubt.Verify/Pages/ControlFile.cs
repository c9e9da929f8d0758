using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Verify.Pages;

/// <summary>Changes in a pg_control's bytes that no running server makes.</summary>
internal static class ControlFile
{
    /// <summary><c>DB_SHUTDOWNED</c>, <c>DB_SHUTDOWNED_IN_RECOVERY</c>, <c>DB_IN_PRODUCTION</c> (catalog/pg_control.h).</summary>
    public const int ShutDown = 1, ShutDownInRecovery = 2, InProduction = 6;

    private const int StateAt = 16;
    private const int NextMultiOffsetAt = 80;

    /// <summary><c>state</c>.</summary>
    public static int State(ReadOnlySpan<byte> file) => BinaryPrimitives.ReadInt32LittleEndian(file[StateAt..]);

    /// <summary>Sets <c>state</c>.</summary>
    public static void SetState(Span<byte> file, int state) => Put(file, StateAt, (uint)state);

    /// <summary>Sets <c>checkPointCopy.nextMultiOffset</c>.</summary>
    public static void SetNextMultiOffset(Span<byte> file, uint offset) => Put(file, NextMultiOffsetAt, offset);

    private static void Put(Span<byte> file, int at, uint value)
    {
        int crcAt = CrcAt(file);
        BinaryPrimitives.WriteUInt32LittleEndian(file[at..], value);
        BinaryPrimitives.WriteUInt32LittleEndian(file[crcAt..], Crc32C.Compute(file[..crcAt]));
    }

    /// <summary>Where the CRC of all before it is: the versions differ.</summary>
    private static int CrcAt(ReadOnlySpan<byte> file)
    {
        const int sector = 512;
        for (int at = StateAt + 4; at < sector; at += 4)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(file[at..]) == Crc32C.Compute(file[..at]))
            {
                return at;
            }
        }

        throw new StockPostgresException("pg_control's CRC is not that of its contents.");
    }
}
