using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>Which pages have grown long chains of changes since their last image, so that images can be made of them when there is time.</summary>
/// <param name="threshold">Chains longer than this are worth an image.</param>
internal sealed class PageHeat(int threshold)
{
    private const int MaxPages = 200_000;
    private readonly Lock _gate = new();
    private readonly Dictionary<PageKey, int> _changes = [];
    private readonly Queue<PageKey> _hot = new();

    /// <summary>Pages that wait for an image.</summary>
    public int HotCount
    {
        get
        {
            lock (_gate)
            {
                return _hot.Count;
            }
        }
    }

    /// <summary>Changes were stored; <paramref name="first"/>: they begin a chain.</summary>
    public void Touch(in PageKey key, bool first, int changes)
    {
        lock (_gate)
        {
            if (first)
            {
                _changes.Remove(key);
            }

            if (_changes.Count >= MaxPages)
            {
                // Forgetting costs longer chains, which reads shorten again.
                _changes.Clear();
            }

            ref int count = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_changes, key, out _);
            if (count < threshold && count + changes >= threshold)
            {
                _hot.Enqueue(key);
            }

            count += changes;
        }
    }

    /// <summary>A read met a long chain.</summary>
    public void Mark(in PageKey key)
    {
        lock (_gate)
        {
            ref int count = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_changes, key, out _);
            if (count < threshold && _hot.Count < MaxPages)
            {
                count = threshold;
                _hot.Enqueue(key);
            }
        }
    }

    /// <summary>The next page to make an image of.</summary>
    public bool TryTake(out PageKey key)
    {
        lock (_gate)
        {
            if (!_hot.TryDequeue(out key))
            {
                return false;
            }

            _changes.Remove(key);
            return true;
        }
    }
}
