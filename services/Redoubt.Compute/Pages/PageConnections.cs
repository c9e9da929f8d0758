using System.Collections.Concurrent;
using System.Net.Sockets;
using Redoubt.Compute.Volume;

namespace Redoubt.Compute.Pages;

/// <summary>Page streams to segments that wait for their next request.</summary>
public sealed class PageConnections : IDisposable
{
    private const int MostIdle = 16;
    private readonly ConcurrentDictionary<GrpcSegment, ConcurrentStack<PageConnection>> _idle = [];
    private volatile bool _disposed;

    /// <summary>A connection that owes nothing: one that waits, or a new one.</summary>
    /// <exception cref="SocketException">The process does not answer.</exception>
    public PageConnection Rent(GrpcSegment segment, ulong epoch)
    {
        var idle = IdleOf(segment);
        while (idle.TryPop(out var connection))
        {
            try
            {
                if (connection.TryDrain())
                {
                    return connection;
                }
            }
            catch (SocketException)
            {
                // It broke while it waited.
            }

            connection.Dispose();
        }

        return new PageConnection(segment, epoch);
    }

    /// <summary>Gives back a connection that is not broken.</summary>
    public void Return(GrpcSegment segment, PageConnection connection)
    {
        var idle = IdleOf(segment);
        if (_disposed || idle.Count >= MostIdle)
        {
            connection.Dispose();
            return;
        }

        idle.Push(connection);
        if (_disposed)
        {
            Dispose();
        }
    }

    /// <summary>Closes those that wait; those in use are closed when they come back.</summary>
    public void Dispose()
    {
        _disposed = true;
        foreach (var idle in _idle.Values)
        {
            while (idle.TryPop(out var connection))
            {
                connection.Dispose();
            }
        }
    }

    private ConcurrentStack<PageConnection> IdleOf(GrpcSegment segment) => _idle.GetOrAdd(segment, static _ => []);
}
