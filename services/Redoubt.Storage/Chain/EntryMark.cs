namespace Redoubt.Storage.Chain;

/// <summary>One entry of a frame, without its body. Its chain predecessor is the mark before it, or the frame's PrevEnd.</summary>
/// <param name="Start">First byte of the record in PostgreSQL's log.</param>
/// <param name="End">End of the record: the entry's name.</param>
public readonly record struct EntryMark(ulong Start, ulong End);
