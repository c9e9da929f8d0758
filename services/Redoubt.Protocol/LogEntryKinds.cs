namespace Redoubt.Protocol;

/// <summary>What follows from an entry's kind.</summary>
public static class LogEntryKinds
{
    /// <summary>True where the log may end after the entry: it is not a part of a record with more to follow.</summary>
    public static bool EndsRecord(this LogEntryKind kind) => kind != LogEntryKind.RecordPart;

    /// <summary>True for the pieces of a long record.</summary>
    public static bool IsPart(this LogEntryKind kind) => kind is LogEntryKind.RecordPart or LogEntryKind.RecordEnd;

    /// <summary>True for the kinds that there are.</summary>
    public static bool IsKnown(this LogEntryKind kind) => kind is >= LogEntryKind.WalRecord and <= LogEntryKind.RecordEnd;
}
