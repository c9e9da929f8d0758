using System.Buffers.Binary;

namespace Redoubt.Wal.Tests.Splitting;

/// <summary>A control state without a cluster behind it.</summary>
internal static class TestControl
{
    public static ControlState Make(PgVersion version = PgVersion.Pg17, ulong nextXid = 1000, bool trackCommitTimestamp = false)
    {
        int length = version == PgVersion.Pg17 ? 288 : 292;
        byte[] control = new byte[8192];
        BinaryPrimitives.WriteUInt64LittleEndian(control, 7_000_000_000_000_000_001);
        BinaryPrimitives.WriteUInt32LittleEndian(control.AsSpan(8), version == PgVersion.Pg17 ? 1700u : 1800u);
        control[16] = 1;
        BinaryPrimitives.WriteUInt64LittleEndian(control.AsSpan(32), 0x1000028);
        control[48] = 1;
        BinaryPrimitives.WriteUInt64LittleEndian(control.AsSpan(64), nextXid);
        control[76] = 1;
        control[200] = trackCommitTimestamp ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32LittleEndian(control.AsSpan(216), 8192);
        BinaryPrimitives.WriteUInt32LittleEndian(control.AsSpan(224), 8192);
        BinaryPrimitives.WriteUInt32LittleEndian(control.AsSpan(228), 16 * 1024 * 1024);
        BinaryPrimitives.WriteUInt32LittleEndian(control.AsSpan(length), Crc32C.Compute(control.AsSpan(0, length)));
        return ControlState.FromControlFile(version, control);
    }
}
