namespace Redoubt.Protocol;

/// <summary>Bytes that should be a log frame are not: too short, wrong magic, CRC, lengths or order.</summary>
public sealed class LogFrameException(string message) : Exception(message);
