namespace Redoubt.Wal;

/// <summary>The redo engine: page before + change = page after, byte for byte as PostgreSQL's redo would leave it
/// (but for what PostgreSQL itself masks when it compares).</summary>
public static partial class PageRedo
{
    /// <summary>Bytes of a page (<c>BLCKSZ</c>).</summary>
    public const int PageSize = 8192;

    /// <summary>Applies a change in place. A page that did not exist before is all zero.</summary>
    /// <exception cref="RedoException">The page is not one this change can apply to. The page's bytes are then unspecified.</exception>
    public static void Apply(PgVersion version, in BlockChange change, Span<byte> page) => throw new NotImplementedException();
}
