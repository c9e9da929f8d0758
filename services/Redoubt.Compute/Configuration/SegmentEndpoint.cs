namespace Redoubt.Compute.Configuration;

/// <summary>A storage process: its name and where it listens. Its place in the list is the copy it holds.</summary>
/// <param name="Name">Such as <c>storage-0</c>.</param>
/// <param name="Address">Such as <c>http://127.0.0.1:7000</c>.</param>
public sealed record SegmentEndpoint(string Name, Uri Address)
{
    /// <summary>Parses <c>storage-0=http://host:port,storage-1=…</c>.</summary>
    /// <exception cref="ConfigurationException">Not that form, or not one for each copy.</exception>
    public static IReadOnlyList<SegmentEndpoint> ParseAll(string text, int copies)
    {
        var endpoints = new List<SegmentEndpoint>();
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1 || !Uri.TryCreate(part[(equals + 1)..], UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            {
                throw new ConfigurationException($"REDOUBT_SEGMENTS has '{part}' in it; write name=http://host:port.");
            }

            endpoints.Add(new SegmentEndpoint(part[..equals], address));
        }

        return endpoints.Count == copies
            ? endpoints
            : throw new ConfigurationException($"REDOUBT_SEGMENTS names {endpoints.Count} storage processes, but REDOUBT_COPIES is {copies}; name one for each copy.");
    }
}
