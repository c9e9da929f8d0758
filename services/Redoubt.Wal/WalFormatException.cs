namespace Redoubt.Wal;

/// <summary>Bytes that should be log (or an encoded change) are not: wrong magic, CRC, length, link, or fields out of range.</summary>
public class WalFormatException(Lsn lsn, string message) : Exception($"{lsn}: {message}")
{
    /// <summary>Where the record or page begins.</summary>
    public Lsn Lsn { get; } = lsn;
}
