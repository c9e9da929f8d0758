using System.Globalization;
using Redoubt.Compute.Configuration;

namespace Redoubt.Compute.Runtime;

/// <summary>Whom PostgreSQL runs as.</summary>
/// <param name="Name">Login name.</param>
/// <param name="Uid">User id.</param>
/// <param name="Gid">Its group.</param>
/// <param name="MustChange">True when the agent is root, so that files and processes must be given to this account; false: it is the agent's own.</param>
public sealed record OsAccount(string Name, uint Uid, uint Gid, bool MustChange)
{
    /// <summary>The account for PostgreSQL: the agent's own unless that is root.</summary>
    /// <exception cref="ConfigurationException">The agent is root and the configured user does not exist or is root.</exception>
    public static OsAccount ForPostgres(string configured)
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return new OsAccount(Environment.UserName, 0, 0, MustChange: false);
        }

        foreach (string line in File.ReadLines("/etc/passwd"))
        {
            string[] fields = line.Split(':');
            if (fields.Length > 3 && fields[0] == configured)
            {
                uint uid = uint.Parse(fields[2], CultureInfo.InvariantCulture);
                return uid != 0
                    ? new OsAccount(configured, uid, uint.Parse(fields[3], CultureInfo.InvariantCulture), MustChange: true)
                    : throw new ConfigurationException($"REDOUBT_OS_USER is '{configured}', which is root; PostgreSQL refuses to run as root.");
            }
        }

        throw new ConfigurationException($"REDOUBT_OS_USER is '{configured}', but this machine has no such user; make it or name another one.");
    }

    /// <summary>The words before a command that run it as this account; it dies with the thread that started it.</summary>
    public IReadOnlyList<string> Prefix() => MustChange
        ? ["setpriv", $"--reuid={Name}", $"--regid={Gid.ToString(CultureInfo.InvariantCulture)}", "--init-groups", "--pdeathsig=KILL", "--"]
        : ["setpriv", "--pdeathsig=KILL", "--"];
}
