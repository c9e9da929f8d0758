namespace Redoubt.Storage.Chain;

/// <summary>Where a frame lies on this segment's disk.</summary>
/// <param name="File">Sequence number of the log file.</param>
/// <param name="Offset">Byte offset of the frame itself (after its envelope).</param>
/// <param name="Length">Bytes of the frame.</param>
public readonly record struct LogAddress(ulong File, int Offset, int Length);
