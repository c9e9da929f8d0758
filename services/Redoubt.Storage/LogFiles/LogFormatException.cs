namespace Redoubt.Storage.LogFiles;

/// <summary>A file of this segment's directory that is not what it should be: foreign, newer, or damaged beyond what peers can heal in place.</summary>
public sealed class LogFormatException(string message) : Exception(message);
