namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>A real change and the page it came to.</summary>
/// <param name="Encoded"><see cref="BlockChange.Encode"/>.</param>
internal sealed record IndexSample(PageKey Key, Lsn Lsn, byte[] Before, byte[] Encoded)
{
    public BlockChange Change => BlockChange.Decode(Key, Lsn, Encoded);
}
