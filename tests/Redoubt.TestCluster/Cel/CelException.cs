namespace Redoubt.TestCluster.Cel;

/// <summary>A CEL expression that does not parse, uses a construct this evaluator does not know, or fails while it runs.</summary>
public sealed class CelException(string message) : Exception(message);
