using System.Text.Json;
using System.Text.RegularExpressions;
using Redoubt.Operator.Api;

namespace Redoubt.Operator.Planning.Builders;

/// <summary>
/// The parameters of the spec as PostgreSQL takes them: names in lower case, numbers and booleans as text (YAML reads an unquoted <c>off</c> as
/// false), and those that can never be parameters apart, with the reason.
/// </summary>
public static partial class ParameterText
{
    public static (IReadOnlyDictionary<string, string> Good, IReadOnlyList<RejectedParameter> Rejected) Of(PostgresSpec spec)
    {
        var good = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var rejected = new List<RejectedParameter>();
        foreach (var (written, json) in (spec.Parameters ?? new Dictionary<string, JsonElement>()).OrderBy(p => p.Key, StringComparer.Ordinal))
        {
            var name = written.ToLowerInvariant();
            var value = Text(json);
            if (Fault(name, value, good) is { } fault)
            {
                rejected.Add(new RejectedParameter { Name = written, Value = value is null || value.Contains('\n', StringComparison.Ordinal) ? null : value, Reason = fault });
                continue;
            }

            good[name] = value!;
        }

        return (good, rejected);
    }

    private static string? Fault(string name, string? value, SortedDictionary<string, string> others) =>
        !Name().IsMatch(name) ? "this is not the name of a parameter; write for example work_mem"
        : FixedParameters.Names.Contains(name) ? "it is fixed; remove it"
        : value is null ? "the value is neither text, a number nor a boolean; write for example 4MB"
        : value.AsSpan().IndexOfAny("\n\r\0") >= 0 ? "the value has more than one line; write it on one"
        : others.ContainsKey(name) ? "it is written twice; remove one of them"
        : null;

    private static string? Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "on",
        JsonValueKind.False => "off",
        _ => null,
    };

    [GeneratedRegex("^[a-z_][a-z0-9_.]*$")]
    private static partial Regex Name();
}
