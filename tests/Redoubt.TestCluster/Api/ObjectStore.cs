using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace Redoubt.TestCluster.Api;

/// <summary>ADDED, MODIFIED, DELETED of one object at one revision. Objects in events and in the store are never changed.</summary>
/// <param name="Revision">Global revision of the write.</param>
/// <param name="Type">ADDED, MODIFIED or DELETED.</param>
/// <param name="Resource">plural.group of the object.</param>
/// <param name="Object">After the write (before it, with the new revision, when deleted).</param>
/// <param name="Previous">Before the write; null when added.</param>
public sealed record StoreEvent(long Revision, string Type, string Resource, JsonObject Object, JsonObject? Previous);

/// <summary>
/// What etcd is to a real server: objects by (resource, namespace, name) under one global revision, a log of events for watches, and
/// compaction that forgets its old part. Every member is safe to call from any thread.
/// </summary>
public sealed class ObjectStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, SortedDictionary<string, JsonObject>> _objects = [];
    private readonly List<StoreEvent> _log = [];
    private readonly List<Subscription> _subscriptions = [];
    private long _compacted;

    /// <summary>The revision of the newest write.</summary>
    public long Revision { get; private set; } = 1;

    /// <summary>The lock under which reads and writes that belong together are done.</summary>
    public Lock Lock => _lock;

    private static string Key(string ns, string name) => $"{ns}/{name}";

    /// <summary>The object, or null.</summary>
    public JsonObject? Get(string resource, string ns, string name)
    {
        lock (_lock)
        {
            return _objects.TryGetValue(resource, out var all) ? all.GetValueOrDefault(Key(ns, name)) : null;
        }
    }

    /// <summary>All objects of a resource (of one namespace when it is not null) in key order, with the revision they are of.</summary>
    public (IReadOnlyList<JsonObject> Items, long Revision) List(string resource, string? ns)
    {
        lock (_lock)
        {
            IEnumerable<JsonObject> all = _objects.TryGetValue(resource, out var map) ? map.Values : [];
            return ([.. ns is null ? all : all.Where(o => o.Namespace() == ns)], Revision);
        }
    }

    /// <summary>Every object of every resource.</summary>
    public IReadOnlyList<(string Resource, JsonObject Object)> All()
    {
        lock (_lock)
        {
            return [.. _objects.SelectMany(r => r.Value.Values.Select(o => (r.Key, o)))];
        }
    }

    /// <summary>Stores an object under a new revision and tells the watchers.</summary>
    public JsonObject Put(string resource, JsonObject value)
    {
        lock (_lock)
        {
            if (!_objects.TryGetValue(resource, out var all))
            {
                _objects[resource] = all = new SortedDictionary<string, JsonObject>(StringComparer.Ordinal);
            }
            var key = Key(value.Namespace(), value.Name());
            var previous = all.GetValueOrDefault(key);
            Revision++;
            value.Meta()["resourceVersion"] = Revision.ToString(CultureInfo.InvariantCulture);
            Materialise(value);
            all[key] = value;
            Publish(new StoreEvent(Revision, previous is null ? "ADDED" : "MODIFIED", resource, value, previous));
            return value;
        }
    }

    /// <summary>Removes an object.</summary>
    public void Remove(string resource, JsonObject value)
    {
        lock (_lock)
        {
            if (_objects.TryGetValue(resource, out var all) && all.Remove(Key(value.Namespace(), value.Name()), out var previous))
            {
                Revision++;
                var last = previous.Clone();
                last.Meta()["resourceVersion"] = Revision.ToString(CultureInfo.InvariantCulture);
                Materialise(last);
                Publish(new StoreEvent(Revision, "DELETED", resource, last, previous));
            }
        }
    }

    /// <summary>Parsed trees build their nodes on first reading, which must not happen on two threads at once.</summary>
    private static void Materialise(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject o:
                foreach (var (_, child) in o)
                {
                    Materialise(child);
                }
                break;
            case JsonArray a:
                foreach (var child in a)
                {
                    Materialise(child);
                }
                break;
        }
    }

    private void Publish(StoreEvent e)
    {
        _log.Add(e);
        foreach (var subscription in _subscriptions)
        {
            subscription.Offer(e);
        }
        _subscriptions.RemoveAll(s => s.IsClosed);
    }

    /// <summary>Forgets the events up to now: watches from older revisions get 410 Gone.</summary>
    public void Compact()
    {
        lock (_lock)
        {
            _compacted = Revision;
            _log.Clear();
        }
    }

    /// <summary>Ends every watch, as a server does that restarts.</summary>
    public void DropWatches()
    {
        lock (_lock)
        {
            _subscriptions.ForEach(s => s.Close());
            _subscriptions.Clear();
        }
    }

    /// <summary>Subscribes to a resource's events (all resources: null) after a revision; null: from now on.</summary>
    /// <exception cref="ApiException">410: the revision was compacted away.</exception>
    public Subscription Subscribe(string? resource, long? after)
    {
        lock (_lock)
        {
            if (after < _compacted)
            {
                throw ApiException.Expired($"too old resource version: {after} ({_compacted})");
            }
            var subscription = new Subscription(resource);
            foreach (var e in _log.Where(e => after is { } a && e.Revision > a))
            {
                subscription.Offer(e);
            }
            _subscriptions.Add(subscription);
            return subscription;
        }
    }

    /// <summary>One watcher's queue; one that falls 10 000 events behind is closed, as a real server does.</summary>
    public sealed class Subscription : IDisposable
    {
        private readonly string? _resource;
        private readonly Channel<StoreEvent> _channel = Channel.CreateBounded<StoreEvent>(10_000);

        internal Subscription(string? resource) => _resource = resource;

        internal bool IsClosed { get; private set; }

        /// <summary>The events in revision order; completes when the watch is dropped.</summary>
        public ChannelReader<StoreEvent> Events => _channel.Reader;

        internal void Offer(StoreEvent e)
        {
            if ((_resource is null || _resource == e.Resource) && !_channel.Writer.TryWrite(e))
            {
                Close();
            }
        }

        internal void Close()
        {
            IsClosed = true;
            _channel.Writer.TryComplete();
        }

        /// <inheritdoc />
        public void Dispose() => Close();
    }
}
