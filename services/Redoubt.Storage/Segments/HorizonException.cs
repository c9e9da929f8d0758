namespace Redoubt.Storage.Segments;

/// <summary>A read at a point below which versions may have been collected.</summary>
public sealed class HorizonException(string message) : Exception(message);
