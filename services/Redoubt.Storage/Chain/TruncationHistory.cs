namespace Redoubt.Storage.Chain;

/// <summary>All truncations of a group, oldest first, one an epoch. Immutable.</summary>
public sealed class TruncationHistory
{
    /// <summary>No truncation yet: a volume that nobody opened.</summary>
    public static readonly TruncationHistory Empty = new([]);

    private readonly TruncationPoint[] _points;

    /// <exception cref="ChainException">Two differing truncations of one epoch.</exception>
    public TruncationHistory(IEnumerable<TruncationPoint> points)
    {
        _points = [.. points.Distinct().OrderBy(p => p.Epoch)];
        for (int i = 1; i < _points.Length; i++)
        {
            if (_points[i].Epoch == _points[i - 1].Epoch)
            {
                throw new ChainException($"two truncations of epoch {_points[i].Epoch}: {_points[i - 1]} and {_points[i]}");
            }
        }
    }

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<TruncationPoint> Points => _points;

    /// <summary>Epoch of the newest truncation, 0 for none.</summary>
    public ulong LastEpoch => _points.Length == 0 ? 0 : _points[^1].Epoch;

    /// <summary>Entries of <paramref name="epoch"/> that end above this are void.</summary>
    public ulong Limit(ulong epoch)
    {
        ulong limit = ulong.MaxValue;
        for (int i = _points.Length - 1; i >= 0 && _points[i].Epoch > epoch; i--)
        {
            limit = Math.Min(limit, _points[i].Above);
        }

        return limit;
    }

    /// <summary>Where a chain of entries of <paramref name="epoch"/> is cut: the lowest group end of all newer truncations.</summary>
    public ulong Cut(ulong epoch)
    {
        ulong cut = ulong.MaxValue;
        for (int i = _points.Length - 1; i >= 0 && _points[i].Epoch > epoch; i--)
        {
            cut = Math.Min(cut, _points[i].GroupEnd);
        }

        return cut;
    }

    /// <summary>The history that a writer of <paramref name="point"/>'s epoch declares: everything earlier as it says, and its own.</summary>
    /// <remarks>Earlier truncations that it does not name were never on a write quorum (else its read quorum had seen them): no
    /// entry of their epoch can have been acknowledged, so they are forgotten.</remarks>
    public static TruncationHistory Declare(IEnumerable<TruncationPoint> earlier, TruncationPoint point) =>
        new(earlier.Where(p => p.Epoch < point.Epoch).Append(point));
}
