using System.Buffers.Binary;

namespace Redoubt.Cli.Bench;

/// <summary>
/// Rows for <c>COPY load FROM STDIN (FORMAT BINARY)</c>, made as they are sent: a running number, a number that is spread evenly (its index is built by a
/// real sort) and 100 letters that compress little. Making one costs next to nothing beside what the server does with it.
/// </summary>
internal sealed class CopyRows
{
    /// <summary>The table that they fit.</summary>
    public const string Table = "CREATE TABLE load (id bigint, key bigint, pad text) WITH (autovacuum_enabled = off)";

    /// <summary>How to begin.</summary>
    public const string Copy = "COPY load FROM STDIN (FORMAT BINARY)";

    /// <summary>The index on the number that is spread.</summary>
    public const string Index = "CREATE INDEX load_key ON load (key)";

    /// <summary>Bytes of a row: number of columns; of each, length and value.</summary>
    public const int RowBytes = 2 + 4 + 8 + 4 + 8 + 4 + PadBytes;

    private const int PadBytes = 100;
    private const int RowsInBuffer = 512;
    private static readonly byte[] Signature = [.. "PGCOPY\n"u8, 0xFF, .. "\r\n\0"u8, 0, 0, 0, 0, 0, 0, 0, 0];
    private readonly byte[] _buffer = new byte[RowsInBuffer * RowBytes];
    private readonly byte[] _letters = new byte[(1 << 16) + PadBytes];
    private long _made;

    public CopyRows()
    {
        var random = new Random(1);
        for (int i = 0; i < _letters.Length; i++)
        {
            _letters[i] = (byte)('0' + random.Next(64));
        }
    }

    /// <summary>What comes before the first row.</summary>
    public static ReadOnlyMemory<byte> Header => Signature;

    /// <summary>What comes after the last row: -1 columns.</summary>
    public static ReadOnlyMemory<byte> Trailer { get; } = new byte[] { 0xFF, 0xFF };

    /// <summary>The next rows, until the next call.</summary>
    public ReadOnlyMemory<byte> Next()
    {
        for (int i = 0; i < RowsInBuffer; i++, _made++)
        {
            Write(_buffer.AsSpan(i * RowBytes, RowBytes), _made);
        }

        return _buffer;
    }

    private void Write(Span<byte> row, long id)
    {
        BinaryPrimitives.WriteInt16BigEndian(row, 3);
        BinaryPrimitives.WriteInt32BigEndian(row[2..], 8);
        BinaryPrimitives.WriteInt64BigEndian(row[6..], id);
        BinaryPrimitives.WriteInt32BigEndian(row[14..], 8);
        ulong spread = Spread((ulong)id);
        BinaryPrimitives.WriteUInt64BigEndian(row[18..], spread);
        BinaryPrimitives.WriteInt32BigEndian(row[26..], PadBytes);
        _letters.AsSpan((int)(spread & 0xFFFF), PadBytes).CopyTo(row[30..]);
    }

    /// <summary>SplitMix64's last step: every number once, in no order.</summary>
    private static ulong Spread(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
