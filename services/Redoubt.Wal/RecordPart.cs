namespace Redoubt.Wal;

/// <summary>Which part of a log record something is.</summary>
public enum RecordPart
{
    /// <summary>All of it.</summary>
    Whole,

    /// <summary>Its beginning, with the header.</summary>
    First,

    /// <summary>Neither its beginning nor its end.</summary>
    Middle,

    /// <summary>Its end; the CRC of the whole record has been checked.</summary>
    Last,
}
