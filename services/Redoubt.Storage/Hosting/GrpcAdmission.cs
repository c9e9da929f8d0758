using Microsoft.AspNetCore.Connections;

namespace Redoubt.Storage.Hosting;

/// <summary>A feature of each gRPC connection: until a call with the right secret came on it, it holds one of the places for those that have not said who
/// they are, and is closed when its time is over.</summary>
internal sealed class GrpcAdmission
{
    private readonly ServedConnections _served;
    private readonly Lock _lock = new();
    private IDisposable? _place;
    private bool _admitted;
    private bool _ended;

    /// <param name="connection">Which has just been accepted.</param>
    /// <param name="served">Counts it once it is admitted.</param>
    /// <param name="enter">Takes a place for it.</param>
    public GrpcAdmission(ConnectionContext connection, ServedConnections served, Func<Action, IDisposable> enter)
    {
        _served = served;
        _place = enter(() => connection.Abort(new ConnectionAbortedException("the connection has not said who it is")));
        connection.Features.Set(this);
        connection.ConnectionClosed.Register(End);
    }

    /// <summary>A call with the right secret came. False: as many connections as may be are served.</summary>
    public bool TryAdmit()
    {
        lock (_lock)
        {
            if (_admitted || _ended)
            {
                return true;
            }

            if (!_served.TryAdd())
            {
                return false;
            }

            _admitted = true;
            _place?.Dispose();
            _place = null;
            return true;
        }
    }

    private void End()
    {
        lock (_lock)
        {
            _ended = true;
            _place?.Dispose();
            _place = null;
            if (_admitted)
            {
                _served.Remove();
            }
        }
    }
}
