namespace Redoubt.Cli.Toolchain;

/// <summary>Where the project and its downloads are.</summary>
public static class RepositoryLayout
{
    /// <summary>The top folder of the project: <c>REDOUBT_ROOT</c> (set by the launcher), else the folder above us that holds Cluster.sln.</summary>
    /// <exception cref="CliException">There is none.</exception>
    public static string Root { get; } = FindRoot();

    /// <summary>Downloads, builds and clusters: <c>REDOUBT_HOME</c>, default <c>.redoubt</c> in the project.</summary>
    public static string Home { get; } = Resolve(
        Environment.GetEnvironmentVariable("REDOUBT_HOME") is { Length: > 0 } home ? Path.GetFullPath(home) : Path.Combine(Root, ".redoubt"));

    /// <summary>The program of a service: what the launcher published, else the project's own Release build.</summary>
    /// <param name="project">Such as <c>Redoubt.Storage</c>.</param>
    /// <exception cref="CliException">It was never built.</exception>
    public static string ServiceDll(string project)
    {
        string[] places =
        [
            Path.Combine(Home, "bin", project, project + ".dll"),
            Path.Combine(Root, "services", project, "bin", "Release", "net10.0", project + ".dll"),
        ];
        return places.Where(File.Exists).MaxBy(File.GetLastWriteTimeUtc)
            ?? throw new CliException($"{project} is not built; run ./redoubt at the top of the project, which builds it.");
    }

    /// <summary>The dotnet host that runs us.</summary>
    public static string DotnetHost =>
        Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path
        : Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root && File.Exists(Path.Combine(root, "dotnet")) ? Path.Combine(root, "dotnet")
        : "dotnet";

    /// <summary>The launcher may have made it a link to a place that PostgreSQL's user can reach.</summary>
    private static string Resolve(string folder) =>
        Directory.Exists(folder) ? Directory.ResolveLinkTarget(folder, returnFinalTarget: true)?.FullName ?? folder : folder;

    private static string FindRoot()
    {
        if (Environment.GetEnvironmentVariable("REDOUBT_ROOT") is { Length: > 0 } root)
        {
            return Path.GetFullPath(root);
        }

        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Cluster.sln")))
            {
                return folder.FullName;
            }
        }

        throw new CliException("The project's folder is not known; run ./redoubt at its top, or set REDOUBT_ROOT.");
    }
}
