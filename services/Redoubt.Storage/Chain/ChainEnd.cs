namespace Redoubt.Storage.Chain;

/// <summary>Where entries that follow each other end: the last of them, and the last record that ends among them.</summary>
/// <param name="To">End of the last entry; inside a record when more of its parts follow.</param>
/// <param name="RecordStart">Start of the last record that ends among them; 0: none does.</param>
/// <param name="RecordEnd">End of that record; 0: none ends.</param>
public readonly record struct ChainEnd(ulong To, ulong RecordStart, ulong RecordEnd)
{
    /// <summary>The end of all of these entries.</summary>
    public static ChainEnd Of(ReadOnlySpan<EntryMark> marks)
    {
        var end = default(ChainEnd);
        foreach (var mark in marks)
        {
            end = end.Then(mark);
        }

        return end;
    }

    /// <summary>The end when one more entry follows.</summary>
    public ChainEnd Then(EntryMark next) => next.EndsRecord ? new ChainEnd(next.End, next.Start, next.End) : this with { To = next.End };
}
