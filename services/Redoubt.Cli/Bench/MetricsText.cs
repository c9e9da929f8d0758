using System.Globalization;

namespace Redoubt.Cli.Bench;

/// <summary>The text that <c>/metrics</c> answers.</summary>
internal static class MetricsText
{
    /// <summary>Name with labels, value.</summary>
    public static Dictionary<string, double> Parse(string text)
    {
        var values = new Dictionary<string, double>();
        foreach (string line in text.Split('\n'))
        {
            int at = line.LastIndexOf(' ');
            if (at > 0 && line[0] != '#' && double.TryParse(line.AsSpan(at + 1), CultureInfo.InvariantCulture, out double value))
            {
                values[line[..at]] = value;
            }
        }

        return values;
    }

    /// <summary>The sum of a metric over its labels; null when there is no such metric.</summary>
    public static double? Sum(IReadOnlyDictionary<string, double> values, string name)
    {
        var found = values.Where(v => v.Key == name || v.Key.StartsWith(name + "{", StringComparison.Ordinal)).ToList();
        return found.Count == 0 ? null : found.Sum(v => v.Value);
    }
}
