namespace Redoubt.Wal.Benchmarks;

/// <summary>A real change and the page it came to.</summary>
/// <param name="Key">The page.</param>
/// <param name="Lsn">End of the record.</param>
/// <param name="Before">8,192 bytes.</param>
/// <param name="Encoded"><see cref="BlockChange.Encode"/>.</param>
public sealed record SampleChange(PageKey Key, Lsn Lsn, byte[] Before, byte[] Encoded);
