using System.CommandLine;
using System.Globalization;

namespace Redoubt.Cli.Commands;

/// <summary>An option that takes numbers with commas between them.</summary>
internal static class NumbersOption
{
    /// <summary>Each from 1 to <paramref name="most"/>.</summary>
    public static Option<int[]> Create(string name, string description, int most, params int[] usual)
    {
        string example = string.Join(',', usual);
        return new Option<int[]>(name)
        {
            Description = $"{description} (default: {example})",
            DefaultValueFactory = _ => usual,
            CustomParser = result =>
            {
                var numbers = new List<int>();
                foreach (string word in result.Tokens.SelectMany(t => t.Value.Split(',')))
                {
                    if (!int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number) || number < 1 || number > most)
                    {
                        result.AddError($"{name} takes numbers from 1 to {most} with commas between them, such as {example}.");
                        return [];
                    }

                    numbers.Add(number);
                }

                return [.. numbers];
            },
        };
    }
}
