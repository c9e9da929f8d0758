using System.Globalization;

namespace Redoubt.TestCluster.Schemas;

/// <summary>A resource quantity ("10Gi", "250m") as an exact decimal in base units.</summary>
public readonly record struct Quantity(decimal Value) : IComparable<Quantity>
{
    private static readonly (string Suffix, decimal Factor)[] Suffixes =
    [
        ("Ki", 1L << 10), ("Mi", 1L << 20), ("Gi", 1L << 30), ("Ti", 1L << 40), ("Pi", 1L << 50), ("Ei", 1L << 60),
        ("n", 0.000_000_001m), ("u", 0.000_001m), ("m", 0.001m), ("k", 1_000m), ("M", 1_000_000m), ("G", 1_000_000_000m),
        ("T", 1_000_000_000_000m), ("P", 1_000_000_000_000_000m), ("E", 1_000_000_000_000_000_000m), ("", 1m),
    ];

    /// <summary>Parses a quantity; false for anything that a real server refuses.</summary>
    public static bool TryParse(string text, out Quantity quantity)
    {
        quantity = default;
        foreach (var (suffix, factor) in Suffixes)
        {
            if (!text.EndsWith(suffix, StringComparison.Ordinal))
            {
                continue;
            }
            var digits = text[..^suffix.Length];
            if (decimal.TryParse(digits, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | (suffix.Length == 0 ? NumberStyles.AllowExponent : 0), CultureInfo.InvariantCulture, out var number))
            {
                quantity = new Quantity(number * factor);
                return true;
            }
        }
        return false;
    }

    /// <inheritdoc />
    public int CompareTo(Quantity other) => Value.CompareTo(other.Value);
}
