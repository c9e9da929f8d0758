namespace Redoubt.Storage;

/// <summary>A setting is missing or wrong. The message is one sentence that says what to write; the process ends with status 2.</summary>
public sealed class ConfigurationException(string message) : Exception(message);
