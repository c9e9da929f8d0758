using System.Globalization;
using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Redoubt.Compute.Postgres;

/// <summary>What PostgreSQL keeps of a password for SCRAM-SHA-256 (RFC 5802, RFC 7677): <c>SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey</c>.</summary>
public static partial class ScramVerifier
{
    private const int Iterations = 4096; // SCRAM_SHA_256_DEFAULT_ITERATIONS, common/scram-common.h
    private const int SaltLength = 16; // SCRAM_DEFAULT_SALT_LEN

    /// <summary>Makes one with a fresh salt.</summary>
    /// <param name="prepared">The password after SASLprep.</param>
    public static string Create(ReadOnlySpan<byte> prepared) => Create(prepared, RandomNumberGenerator.GetBytes(SaltLength), Iterations);

    /// <summary>True when <paramref name="verifier"/> was made from this password.</summary>
    /// <param name="verifier">As <c>pg_authid.rolpassword</c> has it; may be anything.</param>
    /// <param name="prepared">The password after SASLprep.</param>
    public static bool Matches(string? verifier, ReadOnlySpan<byte> prepared)
    {
        if (verifier is null || Pattern().Match(verifier) is not { Success: true } parts
            || !int.TryParse(parts.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int iterations) || iterations < 1)
        {
            return false;
        }

        var salt = new byte[verifier.Length];
        return Convert.TryFromBase64Chars(parts.Groups[2].ValueSpan, salt, out int length) && Create(prepared, salt.AsSpan(0, length), iterations) == verifier;
    }

    /// <summary>True when the text is one, and not a password.</summary>
    public static bool IsOne(string text) => Pattern().IsMatch(text);

    private static string Create(ReadOnlySpan<byte> prepared, ReadOnlySpan<byte> salt, int iterations)
    {
        byte[] salted = Rfc2898DeriveBytes.Pbkdf2(prepared, salt, iterations, HashAlgorithmName.SHA256, SHA256.HashSizeInBytes);
        byte[] stored = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        byte[] server = HMACSHA256.HashData(salted, "Server Key"u8);
        return string.Create(
            CultureInfo.InvariantCulture, $"SCRAM-SHA-256${iterations}:{Convert.ToBase64String(salt)}${Convert.ToBase64String(stored)}:{Convert.ToBase64String(server)}");
    }

    [GeneratedRegex(@"\ASCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)\z")]
    private static partial Regex Pattern();
}
