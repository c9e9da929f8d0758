namespace Redoubt.Wal;

/// <summary>A log file to write into pg_wal.</summary>
/// <param name="Name">24 hex digits.</param>
/// <param name="Pieces">What to write at which offset; the rest of the 16 MiB file is a hole.</param>
public readonly record struct WalSegmentFile(string Name, IReadOnlyList<(int Offset, byte[] Bytes)> Pieces);
