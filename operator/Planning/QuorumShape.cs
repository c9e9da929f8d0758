namespace Redoubt.Operator.Planning;

/// <summary>Copies and quorums of a protection group.</summary>
public readonly record struct QuorumShape(int Copies, int Write, int Read)
{
    /// <summary>The shape that belongs to a number of copies.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The number is not 6, 3 or 1 (the custom resource's rules refuse it).</exception>
    public static QuorumShape For(int copies) => copies switch
    {
        6 => new QuorumShape(6, 4, 3),
        3 => new QuorumShape(3, 2, 2),
        1 => new QuorumShape(1, 1, 1),
        _ => throw new ArgumentOutOfRangeException(nameof(copies), copies, "Copies must be 6, 3 or 1."),
    };
}
