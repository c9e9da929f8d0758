namespace Redoubt.Storage.Chain;

/// <summary>Log that contradicts what this segment holds: two contents at one position, or a step that the protocol does not allow.</summary>
public sealed class ChainException(string message) : Exception(message);
