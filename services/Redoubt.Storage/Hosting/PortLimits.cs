namespace Redoubt.Storage.Hosting;

/// <summary>How many connections the gRPC port has room for, within what the process may open.</summary>
/// <param name="Connections">Of peers that have said who they are.</param>
/// <param name="Unauthenticated">Of those that have not, of either kind.</param>
/// <param name="HelloTimeout">They say it within this time.</param>
internal sealed record PortLimits(int Connections, int Unauthenticated, TimeSpan HelloTimeout)
{
    /// <summary>What the options want, or less when the process may open few files: log and page store need theirs.</summary>
    public static PortLimits Of(StorageOptions options, int descriptors) => new(
        Math.Min(options.MaxConnections, descriptors / 2), Math.Min(options.MaxUnauthenticated, descriptors / 8), options.HelloTimeout);

    /// <summary><c>RLIMIT_NOFILE</c> of this process: the soft limit, which .NET has raised to the hard one.</summary>
    public static int Descriptors()
    {
        const string Name = "Max open files";
        string line = File.ReadLines("/proc/self/limits").First(l => l.StartsWith(Name, StringComparison.Ordinal));
        string soft = line[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
        return int.TryParse(soft, out int limit) ? limit : int.MaxValue;
    }
}
