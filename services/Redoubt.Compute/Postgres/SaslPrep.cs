using System.Text;

namespace Redoubt.Compute.Postgres;

/// <summary>SASLprep (RFC 4013) as PostgreSQL applies it to passwords (common/saslprep.c), all but the normalization, which PostgreSQL itself is asked for.</summary>
public static class SaslPrep
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>What is to be normalized (NFKC); null when the password counts as it is: plain ASCII, no valid UTF-8, or nothing that SASLprep allows.</summary>
    /// <remarks>As in PostgreSQL, what must not occur is looked for before the normalization.</remarks>
    public static string? Map(ReadOnlySpan<byte> password)
    {
        if (Ascii.IsValid(password))
        {
            return null;
        }

        string text;
        try
        {
            text = Strict.GetString(password);
        }
        catch (DecoderFallbackException)
        {
            return null;
        }

        var mapped = new List<Rune>();
        foreach (var rune in text.EnumerateRunes())
        {
            if (IsIn(SaslPrepTables.Spaces, rune))
            {
                mapped.Add(new Rune(' '));
            }
            else if (!IsIn(SaslPrepTables.Nothing, rune))
            {
                mapped.Add(rune);
            }
        }

        return mapped.Count == 0 || mapped.Exists(r => IsIn(SaslPrepTables.Refused, r)) || !IsOneDirection(mapped) ? null : string.Concat(mapped);
    }

    /// <summary>RFC 3454, section 6: with anything from right to left, all of it is, and so do its first and last character.</summary>
    private static bool IsOneDirection(List<Rune> text) =>
        !text.Exists(r => IsIn(SaslPrepTables.RightToLeft, r))
        || (!text.Exists(r => IsIn(SaslPrepTables.LeftToRight, r)) && IsIn(SaslPrepTables.RightToLeft, text[0]) && IsIn(SaslPrepTables.RightToLeft, text[^1]));

    private static bool IsIn(ReadOnlySpan<int> ranges, Rune rune)
    {
        int at = ranges.BinarySearch(rune.Value);
        return at >= 0 || (~at & 1) == 1;
    }
}
