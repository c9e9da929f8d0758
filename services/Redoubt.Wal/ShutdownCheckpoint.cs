namespace Redoubt.Wal;

/// <summary>A synthesised checkpoint record.</summary>
/// <param name="Start">Where the record begins (<c>pg_control.checkPoint</c>, and its redo point).</param>
/// <param name="End">Where the next record may begin.</param>
/// <param name="Record">The record's bytes, contiguous.</param>
/// <param name="Checkpoint">The <c>CheckPoint</c> struct inside it.</param>
public readonly record struct ShutdownCheckpoint(Lsn Start, Lsn End, byte[] Record, byte[] Checkpoint);
