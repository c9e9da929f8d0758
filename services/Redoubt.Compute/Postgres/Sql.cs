namespace Redoubt.Compute.Postgres;

/// <summary>Names and texts as SQL.</summary>
internal static class Sql
{
    public static string Identifier(string name) => '"' + name.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';

    /// <summary>With standard_conforming_strings on or off.</summary>
    public static string Literal(string text) => " E'" + text.Replace("\\", @"\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal) + "'";

    /// <summary>One command for single-user mode, where with <c>-j</c> a semicolon and an empty line end it.</summary>
    public static string Command(string sql) => sql + ";\n\n";
}
