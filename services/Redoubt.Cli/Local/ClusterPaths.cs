using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Redoubt.Cli.Toolchain;

namespace Redoubt.Cli.Local;

/// <summary>The files of a local cluster.</summary>
/// <param name="Folder">Its folder.</param>
public sealed partial record ClusterPaths(string Folder)
{
    private const int LongestSocketPath = 100;

    /// <summary>What the cluster is.</summary>
    public string Spec => Path.Combine(Folder, "cluster.json");

    /// <summary>Shared secret of the processes, mode 0600.</summary>
    public string Secret => Path.Combine(Folder, "secret");

    /// <summary>Held open by the supervisor while it lives.</summary>
    public string Lock => Path.Combine(Folder, "supervisor.lock");

    /// <summary>PostgreSQL parameters, <c>name = 'value'</c> a line.</summary>
    public string Parameters => Path.Combine(Folder, "parameters.conf");

    /// <summary>Folder of the logs, one a process.</summary>
    public string Logs => Path.Combine(Folder, "logs");

    /// <summary>Unix socket of the supervisor: in the folder, or under /tmp when that name is too long for a socket.</summary>
    public string ControlSocket
    {
        get
        {
            string inFolder = Path.Combine(Folder, "control.sock");
            return inFolder.Length <= LongestSocketPath ? inFolder
                : Path.Combine(Path.GetTempPath(), $"redoubt-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Folder)))[..16]}.sock");
        }
    }

    /// <summary>Folder of one process.</summary>
    public string Process(string name) => Path.Combine(Folder, name);

    /// <summary>Log file of one process.</summary>
    public string LogOf(string name) => Path.Combine(Logs, name + ".log");

    /// <summary>The cluster of that name, or in that folder.</summary>
    /// <exception cref="CliException">The name cannot be a folder's.</exception>
    public static ClusterPaths Of(string name, string? folder)
    {
        if (!NamePattern().IsMatch(name))
        {
            throw new CliException($"'{name}' is no name for a cluster; use small letters, digits and '-', at most 40.", CliException.WrongUsage);
        }

        return new ClusterPaths(Path.GetFullPath(folder ?? Path.Combine(RepositoryLayout.Home, name)));
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9-]{0,39}$")]
    private static partial Regex NamePattern();
}
