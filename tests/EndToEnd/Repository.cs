namespace Redoubt.EndToEnd;

/// <summary>Places in the repository.</summary>
internal static class Repository
{
    /// <summary>The folder with Cluster.sln.</summary>
    public static string Root { get; } = Find();

    /// <summary>Where downloads and images are kept: REDOUBT_HOME, else .redoubt.</summary>
    public static string Home { get; } = Environment.GetEnvironmentVariable("REDOUBT_HOME") is { Length: > 0 } home ? home : Path.Combine(Root, ".redoubt");

    private static string Find()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Cluster.sln")))
        {
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("no Cluster.sln above the test");
        }
        return folder;
    }
}
