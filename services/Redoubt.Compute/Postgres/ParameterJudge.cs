using System.Globalization;
using System.Text.RegularExpressions;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>Finds out which of the user's parameters cannot be, and why.</summary>
/// <param name="version">PostgreSQL's.</param>
/// <param name="trial">Asks PostgreSQL; prepared.</param>
public sealed partial class ParameterJudge(PgVersion version, ParameterTrial trial)
{
    /// <summary>Parameters with those that are refused taken out: by Redoubt at once, by PostgreSQL after asking it.</summary>
    public async Task<(IReadOnlyList<(string Name, string Value)> Accepted, IReadOnlyList<RejectedParameter> Rejected)> JudgeAsync(
        IReadOnlyList<(string Name, string Value)> parameters, CancellationToken cancellationToken)
    {
        var rejected = new List<RejectedParameter>(Parameters.Refused(parameters));
        var left = parameters.Where(p => !rejected.Exists(r => r.Name == p.Name)).ToList();
        await RejectLibrariesAsync(left, rejected, cancellationToken).ConfigureAwait(false);
        while (left.Count > 0)
        {
            var complaints = await AskAsync(left, cancellationToken).ConfigureAwait(false);
            if (complaints.Count == 0)
            {
                break;
            }

            var named = complaints.SelectMany(c => Named(left, c).Select(p => (p, c))).DistinctBy(n => n.p.Name).ToList();
            if (named.Count == 0)
            {
                left = await AddOneByOneAsync(left, complaints[0], rejected, cancellationToken).ConfigureAwait(false);
                break;
            }

            foreach (var ((name, value), complaint) in named)
            {
                rejected.Add(new RejectedParameter(name, Parameters.Unquoted(value), complaint));
                left.RemoveAll(p => p.Name == name);
            }
        }

        return (left, rejected);
    }

    private Task<IReadOnlyList<string>> AskAsync(IEnumerable<(string Name, string Value)> parameters, CancellationToken cancellationToken) =>
        trial.ComplaintsAsync(Parameters.Render(version, parameters, []), cancellationToken);

    /// <summary>PostgreSQL loads these when a session begins: a name that is wrong keeps everybody out.</summary>
    private async Task RejectLibrariesAsync(List<(string Name, string Value)> left, List<RejectedParameter> rejected, CancellationToken cancellationToken)
    {
        foreach (var (name, value) in left.Where(p => p.Name is "session_preload_libraries" or "local_preload_libraries").ToArray())
        {
            string plain = Parameters.Unquoted(value);
            string libraries = name == "session_preload_libraries" ? plain
                : string.Join(", ", plain.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(l => $"\"$libdir/plugins/{l.Trim('"')}\""));
            if (libraries.Length > 0
                && await trial.LibraryComplaintAsync($"'{libraries.Replace("'", "''", StringComparison.Ordinal)}'", cancellationToken).ConfigureAwait(false) is { } complaint)
            {
                rejected.Add(new RejectedParameter(name, plain, complaint));
                left.RemoveAll(p => p.Name == name);
            }
        }
    }

    /// <summary>The parameters that a complaint is about, as it says <c>parameter "x"</c> or quotes the number of a line of the file that cannot be read.</summary>
    private static IEnumerable<(string Name, string Value)> Named(List<(string Name, string Value)> parameters, string complaint)
    {
        var name = ParameterName().Match(complaint);
        return name.Success ? parameters.Where(p => string.Equals(p.Name, name.Groups[1].Value, StringComparison.OrdinalIgnoreCase)).Take(1) : [];
    }

    /// <summary>Takes in one parameter after the other, and those that did not fit once more as long as others came in, because some need each other.</summary>
    private async Task<List<(string Name, string Value)>> AddOneByOneAsync(
        List<(string Name, string Value)> parameters, string complaint, List<RejectedParameter> rejected, CancellationToken cancellationToken)
    {
        var fitting = new List<(string Name, string Value)>();
        var waiting = parameters;
        var reasons = new Dictionary<string, string>();
        for (int before = -1; waiting.Count > 0 && fitting.Count > before;)
        {
            before = fitting.Count;
            var again = new List<(string Name, string Value)>();
            foreach (var parameter in waiting)
            {
                var complaints = await AskAsync(fitting.Append(parameter), cancellationToken).ConfigureAwait(false);
                if (complaints.Count == 0)
                {
                    fitting.Add(parameter);
                }
                else
                {
                    reasons[parameter.Name] = complaints[0];
                    again.Add(parameter);
                }
            }

            waiting = again;
        }

        rejected.AddRange(waiting.Select(p => new RejectedParameter(p.Name, Parameters.Unquoted(p.Value), reasons.GetValueOrDefault(p.Name, complaint))));
        return fitting;
    }

    [GeneratedRegex(@"parameter ""([^""]+)""")]
    private static partial Regex ParameterName();
}
