using System.Globalization;

namespace Redoubt.Wal;

/// <summary>A byte position in PostgreSQL's log (<c>XLogRecPtr</c>, access/xlogdefs.h). Printed as <c>hi/lo</c> in hex.</summary>
/// <param name="Value">Bytes since the beginning of the log; 0 is <see cref="Invalid"/>.</param>
public readonly record struct Lsn(ulong Value) : IComparable<Lsn>
{
    /// <summary><c>InvalidXLogRecPtr</c>: before every record.</summary>
    public static readonly Lsn Invalid = new(0);

    /// <summary>True for every position a record can have.</summary>
    public bool IsValid => Value != 0;

    /// <inheritdoc/>
    public int CompareTo(Lsn other) => Value.CompareTo(other.Value);

    /// <summary>Parses PostgreSQL's text form, such as <c>0/1A2B3C4</c>.</summary>
    /// <exception cref="FormatException">The text is not an LSN.</exception>
    public static Lsn Parse(ReadOnlySpan<char> text) =>
        TryParse(text, out var lsn) ? lsn : throw new FormatException($"'{text}' is not an LSN such as 0/1A2B3C4.");

    /// <summary>Parses PostgreSQL's text form; false when the text is not an LSN.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Lsn lsn)
    {
        lsn = default;
        int slash = text.IndexOf('/');
        if (slash is < 1 or > 8 || text.Length - slash - 1 is < 1 or > 8)
        {
            return false;
        }

        if (!uint.TryParse(text[..slash], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint hi)
            || !uint.TryParse(text[(slash + 1)..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint lo))
        {
            return false;
        }

        lsn = new Lsn(((ulong)hi << 32) | lo);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Value >> 32:X}/{(uint)Value:X}");

    public static bool operator <(Lsn a, Lsn b) => a.Value < b.Value;
    public static bool operator >(Lsn a, Lsn b) => a.Value > b.Value;
    public static bool operator <=(Lsn a, Lsn b) => a.Value <= b.Value;
    public static bool operator >=(Lsn a, Lsn b) => a.Value >= b.Value;

    /// <summary>The position <paramref name="bytes"/> later.</summary>
    public static Lsn operator +(Lsn lsn, ulong bytes) => new(lsn.Value + bytes);

    /// <summary>The distance in bytes; <paramref name="a"/> must not be before <paramref name="b"/>.</summary>
    public static ulong operator -(Lsn a, Lsn b) => checked(a.Value - b.Value);
}
