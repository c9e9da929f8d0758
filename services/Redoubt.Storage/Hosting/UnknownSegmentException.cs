namespace Redoubt.Storage.Hosting;

/// <summary>A request for a volume or group that does not live here.</summary>
public sealed class UnknownSegmentException(string message) : Exception(message);
