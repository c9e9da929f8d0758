namespace Redoubt.Protocol;

/// <summary>How many copies a volume keeps and how many must answer. Fixed when the volume is made.</summary>
/// <param name="Copies">Segments of each protection group (V).</param>
/// <param name="WriteQuorum">Copies that must have fsynced a record before it counts as durable (Vw).</param>
/// <param name="ReadQuorum">Copies that recovery must hear (Vr).</param>
/// <param name="Groups">Protection groups (G).</param>
public readonly record struct VolumeShape(int Copies, int WriteQuorum, int ReadQuorum, int Groups)
{
    /// <summary>The usual quorums for a number of copies: 6 → 4/3, 3 → 2/2, 1 → 1/1.</summary>
    /// <exception cref="ArgumentException">Another number of copies.</exception>
    public static VolumeShape ForCopies(int copies, int groups = 1) => copies switch
    {
        6 => new VolumeShape(6, 4, 3, groups).Validate(),
        3 => new VolumeShape(3, 2, 2, groups).Validate(),
        1 => new VolumeShape(1, 1, 1, groups).Validate(),
        _ => throw new ArgumentException($"{copies} copies is not a supported shape: use 6 (quorums 4/3), 3 (2/2) or 1 (1/1, development only)."),
    };

    /// <summary>This shape, when it is safe.</summary>
    /// <exception cref="ArgumentException">Two quorums could miss each other: Vr + Vw ≤ V or Vw ≤ V/2; or a number is out of range.</exception>
    public VolumeShape Validate()
    {
        if (Copies < 1 || WriteQuorum < 1 || WriteQuorum > Copies || ReadQuorum < 1 || ReadQuorum > Copies
            || Groups is < 1 or > GroupRouter.MaxGroups)
        {
            throw new ArgumentException($"{this} is out of range.");
        }

        if (ReadQuorum + WriteQuorum <= Copies || 2 * WriteQuorum <= Copies)
        {
            throw new ArgumentException($"{this} is unsafe: read and write quorums must overlap, and two write quorums too.");
        }

        return this;
    }

    /// <summary>The position that a write quorum has reached: the Vw-th highest of the copies' positions.</summary>
    /// <param name="positions">One per copy; 0 for a copy not heard of. Order does not matter; not changed.</param>
    public ulong QuorumPosition(ReadOnlySpan<ulong> positions)
    {
        Span<ulong> sorted = stackalloc ulong[positions.Length];
        positions.CopyTo(sorted);
        sorted.Sort();
        return positions.Length < WriteQuorum ? 0 : sorted[positions.Length - WriteQuorum];
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Copies} copies, write quorum {WriteQuorum}, read quorum {ReadQuorum}, {Groups} group(s)";
}
