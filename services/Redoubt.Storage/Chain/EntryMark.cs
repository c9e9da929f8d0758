namespace Redoubt.Storage.Chain;

/// <summary>One entry of a frame, without its body. Its chain predecessor is the mark before it, or the frame's PrevEnd.</summary>
/// <param name="Start">First byte of the record in PostgreSQL's log.</param>
/// <param name="End">End of the entry: its name.</param>
/// <param name="EndsRecord">False: more parts of the record follow, the log cannot end here.</param>
public readonly record struct EntryMark(ulong Start, ulong End, bool EndsRecord = true);
