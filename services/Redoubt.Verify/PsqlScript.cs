namespace Redoubt.Verify;

/// <summary>A file for psql, and how to run it.</summary>
/// <param name="File">The file's full path.</param>
public sealed record PsqlScript(string File)
{
    /// <summary>Values of psql variables (<c>-v</c>).</summary>
    public IReadOnlyDictionary<string, string> Variables { get; init; } = new Dictionary<string, string>();

    /// <summary>More environment variables.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Where relative paths in the file start; null: the file's own folder.</summary>
    public string? WorkingFolder { get; init; }

    /// <summary>The first error ends the run (exit status 3).</summary>
    public bool StopOnError { get; init; }
}
