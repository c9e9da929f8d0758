using System.Net;
using System.Net.Sockets;

namespace Redoubt.Cli.Local;

/// <summary>Ports on loopback.</summary>
internal static class FreePorts
{
    /// <summary>Ports that nobody listens on, all different.</summary>
    public static int[] Take(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        try
        {
            listeners.ForEach(listener => listener.Start());
            return [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            listeners.ForEach(listener => listener.Stop());
        }
    }

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
