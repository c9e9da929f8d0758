namespace Redoubt.Wal.V18;

/// <summary>PostgreSQL 18: pg_control gained <c>default_char_signedness</c>; ids of dropped statistics became 64 bits wide.</summary>
internal sealed class Format18 : VersionFormat
{
    public static readonly Format18 Instance = new();

    public override ushort PageMagic => 0xD118;

    public override uint ControlVersion => 1800;

    public override int ControlCrcOffset => 292;

    public override int XactStatsItemSize => 16;
}
