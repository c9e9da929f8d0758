namespace Redoubt.TestCluster.Patching;

/// <summary>A patch that cannot be read or does not fit its target.</summary>
public sealed class PatchException(string message) : Exception(message);
