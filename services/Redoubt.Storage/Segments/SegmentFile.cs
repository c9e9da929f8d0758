using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Redoubt.Protocol;
using Redoubt.Storage.Chain;
using Redoubt.Storage.LogFiles;
using Redoubt.Wal;

namespace Redoubt.Storage.Segments;

/// <summary>What a segment persists beside log and pages. Immutable; written whole: temporary file, fsync, rename, fsync of the folder.</summary>
/// <remarks>The file is one header line <c>redoubt-segment FORMAT CRC32C</c> and JSON.</remarks>
internal sealed record SegmentFile
{
    public const string FileName = "segment";
    public const int Format = 3;

    public required string Volume { get; init; }

    public required int Group { get; init; }

    /// <summary>0 until the first epoch fixes it, as the four below.</summary>
    public int PgVersion { get; init; }

    public int Copies { get; init; }

    public int WriteQuorum { get; init; }

    public int ReadQuorum { get; init; }

    public int Groups { get; init; }

    public ulong Epoch { get; init; }

    public string Writer { get; init; } = "";

    public IReadOnlyList<TruncationPoint> Truncations { get; init; } = [];

    /// <summary>Where the log that is kept begins.</summary>
    public ulong BaseEnd { get; init; }

    /// <summary>Start of the record that ends there.</summary>
    public ulong BaseStart { get; init; }

    /// <summary>True once this copy holds everything that an earlier copy in its place may have promised.</summary>
    public bool Joined { get; init; }

    /// <summary>While not joined: what must be reached first.</summary>
    public ulong JoinTarget { get; init; }

    /// <summary>Reads below were promised to nobody: versions that only they need may be gone. Never goes back.</summary>
    public ulong Horizon { get; init; }

    /// <summary>Which folder <c>pages-N</c> is the page store.</summary>
    public int StoreGeneration { get; init; }

    [JsonIgnore]
    public bool HasShape => Copies != 0;

    [JsonIgnore]
    public EpochState EpochState => new(Epoch, new TruncationHistory(Truncations));

    public SegmentFile With(EpochState state) => this with { Epoch = state.Epoch, Truncations = state.History.Points };

    /// <summary>This with the shape fixed, or a refusal when it is fixed otherwise.</summary>
    /// <exception cref="ShapeMismatchException">The volume was made with another shape or version.</exception>
    public SegmentFile Fix(int pgVersion, VolumeShape shape)
    {
        if (HasShape)
        {
            var mine = new VolumeShape(Copies, WriteQuorum, ReadQuorum, Groups);
            return mine == shape && PgVersion == pgVersion
                ? this
                : throw new ShapeMismatchException(
                    $"volume {Volume} was made for PostgreSQL {PgVersion} with {mine}; the caller says PostgreSQL {pgVersion} with {shape}");
        }

        return this with
        {
            PgVersion = pgVersion,
            Copies = shape.Copies,
            WriteQuorum = shape.WriteQuorum,
            ReadQuorum = shape.ReadQuorum,
            Groups = shape.Groups,
        };
    }

    /// <exception cref="LogFormatException">The file is damaged or of another format.</exception>
    public static SegmentFile? Read(string folder)
    {
        string path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
        {
            return null;
        }

        byte[] bytes = File.ReadAllBytes(path);
        int newline = Array.IndexOf(bytes, (byte)'\n');
        string[] header = newline < 0 ? [] : Encoding.ASCII.GetString(bytes, 0, newline).Split(' ');
        if (header is not ["redoubt-segment", _, _] || !int.TryParse(header[1], CultureInfo.InvariantCulture, out int format))
        {
            throw new LogFormatException($"{path} is not a segment file; delete the whole folder to rebuild this copy from its peers.");
        }

        if (format != Format)
        {
            throw new LogFormatException($"{path} has format {format}; this program reads {Format}: use {(format > Format ? "a newer" : "the older")} one.");
        }

        if (header[2] != Crc32C.Compute(bytes.AsSpan(newline + 1)).ToString("x8", CultureInfo.InvariantCulture))
        {
            throw new LogFormatException($"{path} is damaged (CRC); delete the whole folder to rebuild this copy from its peers.");
        }

        return JsonSerializer.Deserialize(bytes.AsSpan(newline + 1), SegmentFileJson.Default.SegmentFile);
    }

    /// <summary>Makes this the durable state.</summary>
    public void Write(string folder)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(this, SegmentFileJson.Default.SegmentFile);
        byte[] header = Encoding.ASCII.GetBytes(
            string.Create(CultureInfo.InvariantCulture, $"redoubt-segment {Format} {Crc32C.Compute(json):x8}\n"));
        string path = Path.Combine(folder, FileName), temporary = path + ".new";
        using (var handle = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write))
        {
            RandomAccess.Write(handle, header, 0);
            RandomAccess.Write(handle, json, header.Length);
            RandomAccess.FlushToDisk(handle);
        }

        File.Move(temporary, path, overwrite: true);
        NativeIo.SyncDirectory(folder);
    }
}

[JsonSerializable(typeof(SegmentFile))]
[JsonSourceGenerationOptions(WriteIndented = true)]
internal sealed partial class SegmentFileJson : JsonSerializerContext;
