using System.Globalization;
using System.Text;

namespace Redoubt.TestCluster.Cel;

internal enum CelTokenKind { Identifier, Int, UInt, Double, String, Operator, End }

internal readonly record struct CelToken(CelTokenKind Kind, string Text, object? Value, int Position);

/// <summary>Cuts a CEL expression into tokens (cel-spec, "Syntax").</summary>
internal static class CelLexer
{
    private static readonly string[] Operators =
        ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}"];

    public static List<CelToken> Tokens(string text)
    {
        var tokens = new List<CelToken>();
        var i = 0;
        while (true)
        {
            while (i < text.Length && char.IsWhiteSpace(text[i]))
            {
                i++;
            }
            if (i >= text.Length)
            {
                tokens.Add(new CelToken(CelTokenKind.End, "", null, i));
                return tokens;
            }
            var start = i;
            var c = text[i];
            if (text.AsSpan(i).StartsWith("//"))
            {
                while (i < text.Length && text[i] != '\n')
                {
                    i++;
                }
                continue;
            }
            var raw = (c is 'r' or 'R') && i + 1 < text.Length && text[i + 1] is '"' or '\'';
            if (raw || c is '"' or '\'')
            {
                if (raw)
                {
                    i++;
                }
                tokens.Add(new CelToken(CelTokenKind.String, "", ReadString(text, ref i, raw), start));
                continue;
            }
            if (char.IsAsciiLetter(c) || c == '_')
            {
                while (i < text.Length && (char.IsAsciiLetterOrDigit(text[i]) || text[i] == '_'))
                {
                    i++;
                }
                tokens.Add(new CelToken(CelTokenKind.Identifier, text[start..i], null, start));
                continue;
            }
            if (char.IsAsciiDigit(c))
            {
                tokens.Add(ReadNumber(text, ref i));
                continue;
            }
            var op = Operators.FirstOrDefault(o => string.CompareOrdinal(text, start, o, 0, o.Length) == 0)
                ?? throw new CelException($"unexpected '{c}' at {i} in: {text}");
            i += op.Length;
            tokens.Add(new CelToken(CelTokenKind.Operator, op, null, start));
        }
    }

    private static CelToken ReadNumber(string text, ref int i)
    {
        var start = i;
        if (text.AsSpan(i).StartsWith("0x", StringComparison.Ordinal))
        {
            throw new CelException($"hexadecimal literals are not supported by this evaluator: {text}");
        }
        while (i < text.Length && char.IsAsciiDigit(text[i]))
        {
            i++;
        }
        var isDouble = false;
        if (i + 1 < text.Length && text[i] == '.' && char.IsAsciiDigit(text[i + 1]))
        {
            isDouble = true;
            i++;
            while (i < text.Length && char.IsAsciiDigit(text[i]))
            {
                i++;
            }
        }
        var digits = text[start..i];
        if (i < text.Length && text[i] is 'u' or 'U' or 'e' or 'E')
        {
            throw new CelException($"unsigned and exponent literals are not supported by this evaluator: {text}");
        }
        return isDouble
            ? new CelToken(CelTokenKind.Double, digits, double.Parse(digits, CultureInfo.InvariantCulture), start)
            : new CelToken(CelTokenKind.Int, digits, long.Parse(digits, CultureInfo.InvariantCulture), start);
    }

    private static string ReadString(string text, ref int i, bool raw)
    {
        var quote = text[i];
        var triple = i + 2 < text.Length && text[i + 1] == quote && text[i + 2] == quote;
        var end = triple ? new string(quote, 3) : quote.ToString();
        i += end.Length;
        var result = new StringBuilder();
        while (true)
        {
            if (i >= text.Length)
            {
                throw new CelException($"string without an end in: {text}");
            }
            if (string.CompareOrdinal(text, i, end, 0, end.Length) == 0)
            {
                i += end.Length;
                return result.ToString();
            }
            if (!raw && text[i] == '\\')
            {
                i++;
                if (i >= text.Length)
                {
                    throw new CelException($"string without an end in: {text}");
                }
                result.Append(text[i] switch
                {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    '\\' => '\\',
                    '"' => '"',
                    '\'' => '\'',
                    '`' => '`',
                    '?' => '?',
                    var other => throw new CelException($"escape \\{other} is not supported by this evaluator: {text}"),
                });
                i++;
                continue;
            }
            result.Append(text[i++]);
        }
    }
}
