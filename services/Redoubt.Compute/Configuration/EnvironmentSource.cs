using Microsoft.Extensions.Configuration;

namespace Redoubt.Compute.Configuration;

/// <summary>Reads <c>REDOUBT_DATA_DIR</c> from the environment, or <c>--data-dir VALUE</c> / <c>--data-dir=VALUE</c> from the flags, as key <c>DATA_DIR</c>.</summary>
public static class EnvironmentSource
{
    private const string Prefix = "REDOUBT_";

    /// <exception cref="ConfigurationException">An argument is not a flag, or has no value.</exception>
    public static IConfiguration Build(IReadOnlyList<string> arguments)
    {
        var flags = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        for (int i = 0; i < arguments.Count; i++)
        {
            string argument = arguments[i];
            if (!argument.StartsWith("--", StringComparison.Ordinal))
            {
                throw new ConfigurationException($"'{argument}' is not an option; options are the variables of docs/processes.md, such as --data-dir FOLDER.");
            }

            int equals = argument.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? argument[2..] : argument[2..equals];
            if (equals < 0 && i + 1 == arguments.Count)
            {
                throw new ConfigurationException($"Option {argument} has no value.");
            }

            flags[name.Replace('-', '_').ToUpperInvariant()] = equals < 0 ? arguments[++i] : argument[(equals + 1)..];
        }

        return new ConfigurationBuilder().AddEnvironmentVariables(Prefix).AddInMemoryCollection(flags).Build();
    }
}
