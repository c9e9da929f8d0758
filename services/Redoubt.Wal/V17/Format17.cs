namespace Redoubt.Wal.V17;

/// <summary>PostgreSQL 17.</summary>
internal sealed class Format17 : VersionFormat
{
    public static readonly Format17 Instance = new();

    public override ushort PageMagic => 0xD116;

    public override uint ControlVersion => 1700;

    public override int ControlCrcOffset => 288;

    public override int XactStatsItemSize => 12;
}
