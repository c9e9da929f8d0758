namespace Redoubt.Storage.Segments;

/// <summary>A caller believes in another volume shape or PostgreSQL version than the volume was made with.</summary>
public sealed class ShapeMismatchException(string message) : Exception(message);
