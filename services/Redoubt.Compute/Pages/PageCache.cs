using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>Prefetched pages that PostgreSQL has not asked for yet: bounded, least recently added first out. A page leaves when it is delivered, because
/// from then on it lives in the local file; what is asked for here is a hole, so nobody has touched it since it was fetched.</summary>
public sealed class PageCache(int capacityPages)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<PageKey, LinkedListNode<(PageKey Key, byte[] Page)>> _pages = [];
    private readonly LinkedList<(PageKey Key, byte[] Page)> _order = [];

    /// <summary>Pages held.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _pages.Count;
            }
        }
    }

    public bool Contains(in PageKey key)
    {
        lock (_lock)
        {
            return _pages.ContainsKey(key);
        }
    }

    /// <summary>Takes a page out.</summary>
    public bool TryTake(in PageKey key, Span<byte> destination)
    {
        lock (_lock)
        {
            if (!_pages.Remove(key, out var node))
            {
                return false;
            }

            node.Value.Page.CopyTo(destination);
            _order.Remove(node);
            return true;
        }
    }

    /// <summary>Puts a page in; the oldest go when there is no room.</summary>
    public void Put(in PageKey key, ReadOnlySpan<byte> page)
    {
        if (capacityPages == 0)
        {
            return;
        }

        lock (_lock)
        {
            if (_pages.Remove(key, out var old))
            {
                _order.Remove(old);
            }

            byte[]? buffer = null;
            while (_pages.Count >= capacityPages)
            {
                var oldest = _order.First!;
                _order.RemoveFirst();
                _pages.Remove(oldest.Value.Key);
                buffer = oldest.Value.Page;
            }

            buffer ??= new byte[PageRedo.PageSize];
            page.CopyTo(buffer);
            _pages[key] = _order.AddLast((key, buffer));
        }
    }
}
