using System.Diagnostics;

namespace Redoubt.Protocol.Sockets;

/// <summary>
/// Room for connections that anybody can open. When it is full, the one that has been there longest gives way to the new one: who means it is through in
/// milliseconds, so those that only sit there push each other out, and nobody who knocks later is kept out by them.
/// </summary>
/// <param name="most">Places.</param>
public sealed class ConnectionPlaces(int most)
{
    private readonly Lock _lock = new();
    private readonly LinkedList<Place> _taken = [];

    /// <summary>Places taken.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _taken.Count;
            }
        }
    }

    /// <summary>Takes a place; dispose it when the connection has ended or may stay.</summary>
    /// <param name="giveWay">Ends the connection; called on any thread, at most once, and not after the place was disposed of.</param>
    /// <param name="gaveWay">True when another one had to go.</param>
    public IDisposable Enter(Action giveWay, out bool gaveWay)
    {
        Place? oldest = null;
        var place = new Place(this, giveWay);
        lock (_lock)
        {
            if (_taken.Count >= most)
            {
                oldest = _taken.First!.Value;
                _taken.RemoveFirst();
            }

            _taken.AddLast(place.Node);
        }

        gaveWay = oldest is not null;
        oldest?.GiveWay();
        return place;
    }

    /// <summary>Ends those that have been here longer; returns how many.</summary>
    public int Expire(TimeSpan age)
    {
        var expired = new List<Place>();
        lock (_lock)
        {
            while (_taken.First is { Value: var oldest } && Stopwatch.GetElapsedTime(oldest.Since) > age)
            {
                _taken.RemoveFirst();
                expired.Add(oldest);
            }
        }

        expired.ForEach(p => p.GiveWay());
        return expired.Count;
    }

    private sealed class Place : IDisposable
    {
        private readonly ConnectionPlaces _places;

        public Place(ConnectionPlaces places, Action giveWay)
        {
            _places = places;
            GiveWay = giveWay;
            Node = new LinkedListNode<Place>(this);
        }

        public Action GiveWay { get; }

        public LinkedListNode<Place> Node { get; }

        public long Since { get; } = Stopwatch.GetTimestamp();

        public void Dispose()
        {
            lock (_places._lock)
            {
                if (Node.List is not null)
                {
                    _places._taken.Remove(Node);
                }
            }
        }
    }
}
