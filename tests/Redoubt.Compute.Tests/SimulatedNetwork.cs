using Redoubt.Protocol;

namespace Redoubt.Compute.Tests;

/// <summary>All segments of a simulated volume, and chance.</summary>
internal sealed class SimulatedNetwork
{
    public SimulatedNetwork(VolumeShape shape, int seed)
    {
        Shape = shape;
        Random = new Random(seed);
        Segments =
        [
            .. from copy in Enumerable.Range(0, shape.Copies)
               from g in Enumerable.Range(0, shape.Groups)
               select new SimulatedSegment(this, copy, g),
        ];
    }

    public VolumeShape Shape { get; }

    public Random Random { get; }

    public SimulatedSegment[] Segments { get; }

    /// <summary>Probability that a message is lost.</summary>
    public double Loss { get; set; }

    /// <summary>Decides one message. Segments are asked in parallel: whoever touches them or chance holds the lock on this object.</summary>
    public bool Loses() => Random.NextDouble() < Loss;
}
