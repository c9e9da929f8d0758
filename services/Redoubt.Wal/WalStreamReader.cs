namespace Redoubt.Wal;

/// <summary>
/// Cuts whole records out of a log that arrives in pieces of any size. Checks page headers, <c>xl_prev</c>, lengths and the CRC-32C of
/// every record. Allocates nothing per record.
/// </summary>
public sealed class WalStreamReader
{
    /// <summary>Starts at a record boundary.</summary>
    /// <param name="version">Which page magic and record kinds to expect.</param>
    /// <param name="start">Where the next record starts or would start (page headers after it are skipped).</param>
    public WalStreamReader(PgVersion version, Lsn start) => throw new NotImplementedException();

    /// <summary>Position after the last record read (its <see cref="WalRecord.End"/>).</summary>
    public Lsn Position => throw new NotImplementedException();

    /// <summary>Gives the reader the log's next bytes; the first piece begins at the start position (or its page), the next where it ended.</summary>
    public void Append(Lsn at, ReadOnlySpan<byte> bytes) => throw new NotImplementedException();

    /// <summary>The next whole record, or false when more bytes are needed. The record is valid until the next call of this reader.</summary>
    /// <exception cref="WalFormatException">The bytes are not a log: names LSN and what is wrong.</exception>
    public bool TryRead(out WalRecord record) => throw new NotImplementedException();
}
