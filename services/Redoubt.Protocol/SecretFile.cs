using System.Text;

namespace Redoubt.Protocol;

/// <summary>The file with the shared secret of the processes. One that says nothing is a mistake, never a wish for no secret.</summary>
public static class SecretFile
{
    /// <summary>Longest secret (bytes): it travels in a <see cref="StreamHello"/> and in a header.</summary>
    public const int MaxLength = 2048;

    /// <summary>Reads it, without the white space around.</summary>
    /// <param name="path">Of the file.</param>
    /// <param name="problem">Why there is no secret in it, for people.</param>
    /// <returns>Null when there is none.</returns>
    public static string? TryRead(string path, out string problem)
    {
        problem = "";
        string secret;
        try
        {
            secret = File.ReadAllText(path).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problem = $"'{path}' cannot be read: {e.Message}";
            return null;
        }

        problem = secret.Length == 0 ? $"'{path}' is empty; write the shared secret into it, or leave the setting out for processes without one."
            : Encoding.UTF8.GetByteCount(secret) > MaxLength ? $"'{path}' holds more than {MaxLength} bytes; a shared secret is shorter."
            : secret.Any(c => c is < ' ' or > '~') ? $"'{path}' holds other characters than visible ASCII; a shared secret is one line of them."
            : "";
        return problem.Length == 0 ? secret : null;
    }
}
