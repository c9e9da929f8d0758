using System.Net;
using System.Net.Sockets;

namespace Redoubt.Cli.Local;

/// <summary>Ports on loopback.</summary>
internal static partial class FreePorts
{
    /// <summary>The wanted port, or the next one that is free.</summary>
    /// <exception cref="CliException">None of the next hundred is free.</exception>
    public static int From(int wanted)
    {
        for (int port = wanted; port < Math.Min(wanted + 100, 65536); port++)
        {
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // In use, or not for us: the next one.
            }
        }

        throw new CliException($"Port {wanted} and the hundred after it are in use; choose another one with --port.");
    }
}
