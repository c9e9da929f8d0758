namespace Redoubt.Compute.Volume;

/// <summary>The segments belong to a volume of another shape or PostgreSQL version than configured.</summary>
public sealed class VolumeMismatchException(string message) : Exception(message);
