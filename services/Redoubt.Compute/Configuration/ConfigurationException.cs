namespace Redoubt.Compute.Configuration;

/// <summary>A setting is missing or wrong. The message is one sentence that names the variable and says what to write (exit status 2).</summary>
public sealed class ConfigurationException(string message) : Exception(message);
