namespace Redoubt.Cli;

/// <summary>A failure that ends the command with one sentence on stderr, which says what to do.</summary>
/// <param name="message">The sentence.</param>
/// <param name="exitCode">1: it failed; 2: it was called wrongly.</param>
public sealed class CliException(string message, int exitCode = CliException.Failed) : Exception(message)
{
    /// <summary>Exit status of a command that failed.</summary>
    public const int Failed = 1;

    /// <summary>Exit status of a command that was called wrongly.</summary>
    public const int WrongUsage = 2;

    /// <summary>Exit status of the command.</summary>
    public int ExitCode { get; } = exitCode;
}
