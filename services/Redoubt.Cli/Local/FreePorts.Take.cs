using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Redoubt.Cli.Local;

/// <content>Ports to keep.</content>
internal static partial class FreePorts
{
    private const int Lowest = 15_000;
    private const int UsualOutgoing = 32_768;

    /// <summary>
    /// Ports that nobody listens on, all different, below those that the kernel gives outgoing connections: a process that is started again finds its
    /// port free.
    /// </summary>
    public static int[] Take(int count)
    {
        int highest = FirstOutgoing();
        var listeners = new List<TcpListener>();
        try
        {
            while (listeners.Count < count)
            {
                // Where the kernel may give away all ports, it chooses.
                var listener = new TcpListener(IPAddress.Loopback, highest > Lowest + 1000 ? Random.Shared.Next(Lowest, highest) : 0);
                try
                {
                    listener.Start();
                    listeners.Add(listener);
                }
                catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
                {
                    listener.Dispose();
                }
            }

            return [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        }
        finally
        {
            listeners.ForEach(listener => listener.Dispose());
        }
    }

    private static int FirstOutgoing()
    {
        const string range = "/proc/sys/net/ipv4/ip_local_port_range";
        return File.Exists(range) && int.TryParse(File.ReadAllText(range).Split('\t', ' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out int first)
            ? first
            : UsualOutgoing;
    }
}
