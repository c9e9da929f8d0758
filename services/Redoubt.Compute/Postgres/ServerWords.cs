using System.Text.RegularExpressions;

namespace Redoubt.Compute.Postgres;

/// <summary>Reads what PostgreSQL writes to standard error with an empty log_line_prefix.</summary>
internal static partial class ServerWords
{
    private static readonly string[] Addenda = ["DETAIL:  ", "HINT:  "];

    /// <summary>Every complaint, in order: message, detail and hint as one text without the names of files. A closing line that the file "contains errors" is left out.</summary>
    public static IReadOnlyList<string> Complaints(string error)
    {
        var complaints = new List<string>();
        bool taken = false;
        foreach (string line in error.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (Message().Match(line) is { Success: true } message)
            {
                string text = InFile().Replace(message.Groups[1].Value, "");
                taken = !text.Contains("contains errors", StringComparison.Ordinal) && !text.StartsWith("skipping missing", StringComparison.Ordinal);
                if (taken)
                {
                    complaints.Add(text);
                }
            }
            else if (taken && Addenda.FirstOrDefault(a => line.StartsWith(a, StringComparison.Ordinal)) is { } addendum)
            {
                complaints[^1] = $"{complaints[^1].TrimEnd('.')}. {line[addendum.Length..]}";
            }
        }

        return complaints;
    }

    /// <summary>What made a program end: the last message that is an error; null when there is none.</summary>
    public static string? LastError(string error) =>
        Complaints(string.Join('\n', error.Split('\n').Where(line => !line.StartsWith("LOG:", StringComparison.Ordinal) && !line.StartsWith("WARNING:", StringComparison.Ordinal))))
            is { Count: > 0 } complaints ? complaints[^1] : null;

    // "postgres: …" comes before logging is set up.
    [GeneratedRegex(@"^(?:LOG|WARNING|ERROR|FATAL|PANIC|postgres|[^ ]*/postgres): +(.+)$")]
    private static partial Regex Message();

    [GeneratedRegex(@" in file ""[^""]*"" line \d+(?=,|$)")]
    private static partial Regex InFile();
}
