using System.Buffers.Binary;
using K4os.Compression.LZ4;
using Redoubt.Wal;

namespace Redoubt.Protocol;

/// <summary>What an <see cref="ImportItem"/> holds.</summary>
public enum ImportItemKind : byte
{
    /// <summary>Page images of one group: <see cref="ImportItem.PageCount"/>, <see cref="ImportItem.PageKeyAt"/>, <see cref="ImportItem.PageAt"/>.</summary>
    Pages = 1,

    /// <summary>A fork exists and has so many blocks (all-zero pages are not imported, only counted). Goes to every group.
    /// For an SLRU: the number of pages up to and including its last.</summary>
    ForkSize = 2,

    /// <summary>A small file by its path relative to the data directory. Group 0.</summary>
    File = 3,

    /// <summary>A database's folder in a tablespace. Goes to every group.</summary>
    Database = 4,

    /// <summary>A tablespace and where it is (empty: in place). Goes to every group.</summary>
    Tablespace = 5,

    /// <summary><see cref="ControlState.Encode"/> of the imported cluster; the last item of an import. Group 0.</summary>
    Control = 6,
}

/// <summary>
/// The body of a <see cref="LogEntryKind.Import"/> entry: a piece of an existing data directory (of initdb) that becomes the beginning of a volume.
/// A parsed view; use <see cref="ImportItemWriter"/> to make one.
/// </summary>
/// <remarks>
/// Little-endian. u8 kind, u8 compression (0 none, 1 LZ4 block), u32 length of the payload before compression, payload. Payloads:
/// Pages: u32 n, n × 17 bytes <see cref="PageKey"/>, n × 8192 bytes; ForkSize: 17 bytes <see cref="PageKey"/> whose block is the number of blocks;
/// File: u16 path length, path (UTF-8), contents; Database: u32 oid, u32 tablespace oid; Tablespace: u32 oid, path (UTF-8); Control: the encoding.
/// An item's payload is at most <see cref="MaxPayload"/>.
/// </remarks>
public sealed class ImportItem
{
    /// <summary>Most pages in one item.</summary>
    public const int MaxPages = 31;

    /// <summary>Largest payload (bytes), before compression.</summary>
    public const int MaxPayload = 480 << 10;

    internal const int HeaderLength = 6;

    private readonly ReadOnlyMemory<byte> _payload;

    private ImportItem(ImportItemKind kind, ReadOnlyMemory<byte> payload)
    {
        Kind = kind;
        _payload = payload;
    }

    public ImportItemKind Kind { get; }

    /// <summary>Number of pages of a <see cref="ImportItemKind.Pages"/> item.</summary>
    public int PageCount => BinaryPrimitives.ReadInt32LittleEndian(Payload(ImportItemKind.Pages));

    /// <summary>Key of the i-th page.</summary>
    public PageKey PageKeyAt(int i) => PageKey.Read(Payload(ImportItemKind.Pages)[(4 + (i * PageKey.EncodedLength))..]);

    /// <summary>The i-th page, 8192 bytes.</summary>
    public ReadOnlySpan<byte> PageAt(int i) =>
        Payload(ImportItemKind.Pages).Slice(4 + (PageCount * PageKey.EncodedLength) + (i * PageRedo.PageSize), PageRedo.PageSize);

    /// <summary>The fork of a <see cref="ImportItemKind.ForkSize"/> item; its <see cref="PageKey.Block"/> is the number of blocks.</summary>
    public PageKey Fork => PageKey.Read(Payload(ImportItemKind.ForkSize));

    /// <summary>Path of a <see cref="ImportItemKind.File"/>, relative to the data directory; of a <see cref="ImportItemKind.Tablespace"/>, where it is.</summary>
    public string Path => Kind == ImportItemKind.Tablespace
        ? System.Text.Encoding.UTF8.GetString(_payload.Span[4..])
        : System.Text.Encoding.UTF8.GetString(Payload(ImportItemKind.File).Slice(2, PathLength));

    /// <summary>Contents of a <see cref="ImportItemKind.File"/> or encoding of a <see cref="ImportItemKind.Control"/>.</summary>
    public ReadOnlySpan<byte> Contents => Kind == ImportItemKind.Control ? _payload.Span : Payload(ImportItemKind.File)[(2 + PathLength)..];

    /// <summary>Oid of a database or tablespace.</summary>
    public uint Oid => Kind is ImportItemKind.Database or ImportItemKind.Tablespace
        ? BinaryPrimitives.ReadUInt32LittleEndian(_payload.Span)
        : throw new InvalidOperationException($"an import item of kind {Kind} has no oid");

    /// <summary>Tablespace of a <see cref="ImportItemKind.Database"/>.</summary>
    public uint DatabaseSpace => BinaryPrimitives.ReadUInt32LittleEndian(Payload(ImportItemKind.Database)[4..]);

    private int PathLength => BinaryPrimitives.ReadUInt16LittleEndian(_payload.Span);

    /// <summary>Reads an entry's body. The result refers to <paramref name="body"/> unless it was compressed.</summary>
    /// <exception cref="LogFrameException">The body is not an import item.</exception>
    public static ImportItem Parse(ReadOnlyMemory<byte> body)
    {
        var span = body.Span;
        if (span.Length < HeaderLength || span[0] is < (byte)ImportItemKind.Pages or > (byte)ImportItemKind.Control || span[1] > 1)
        {
            throw new LogFrameException($"{span.Length} bytes are not an import item");
        }

        var kind = (ImportItemKind)span[0];
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(span[2..]);
        if (length > MaxPayload)
        {
            throw new LogFrameException($"import item {kind} claims {length} bytes; at most {MaxPayload} are legal");
        }

        ReadOnlyMemory<byte> payload = body[HeaderLength..];
        if (span[1] == 1)
        {
            var raw = new byte[length];
            if (LZ4Codec.Decode(payload.Span, raw) != length)
            {
                throw new LogFrameException($"import item {kind} does not decompress to {length} bytes");
            }

            payload = raw;
        }

        var item = new ImportItem(kind, payload);
        if (payload.Length != length || !item.IsWellFormed(payload.Span))
        {
            throw new LogFrameException($"import item {kind} of {payload.Length} bytes contradicts itself");
        }

        return item;
    }

    private bool IsWellFormed(ReadOnlySpan<byte> payload) => Kind switch
    {
        ImportItemKind.Pages => payload.Length >= 4 && BinaryPrimitives.ReadUInt32LittleEndian(payload) is > 0 and <= MaxPages
            && payload.Length == 4 + (PageCount * (PageKey.EncodedLength + PageRedo.PageSize)),
        ImportItemKind.ForkSize => payload.Length == PageKey.EncodedLength,
        ImportItemKind.File => payload.Length >= 2 && payload.Length >= 2 + PathLength,
        ImportItemKind.Database => payload.Length == 8,
        ImportItemKind.Tablespace => payload.Length >= 4,
        _ => payload.Length > 0,
    };

    private ReadOnlySpan<byte> Payload(ImportItemKind expected) => Kind == expected
        ? _payload.Span
        : throw new InvalidOperationException($"an import item of kind {Kind} was read as {expected}");
}
