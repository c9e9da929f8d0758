using System.Buffers.Binary;
using System.Text;
using Redoubt.Compute.Pages;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// Names of superusers and databases, read from storage's pages of pg_authid and pg_database without any SQL. Old versions of rows are among them: who
/// asks tries the names, and PostgreSQL decides.
/// </summary>
/// <param name="data">PostgreSQL's data directory.</param>
/// <param name="fetcher">Where pages come from.</param>
public sealed class CatalogNames(string data, PageFetcher fetcher)
{
    private const uint BootstrapSuperuser = 10; // BOOTSTRAP_SUPERUSERID, catalog/pg_authid.dat
    private const uint AuthId = 1260; // AuthIdRelationId
    private const uint Database = 1262; // DatabaseRelationId
    private const int NameLength = 64; // NAMEDATALEN
    private const int SuperOffset = 4 + NameLength; // rolsuper, after oid and rolname
    private const int MapMagic = 0x592717; // RELMAPPER_FILEMAGIC, utils/cache/relmapper.c

    /// <summary>Superusers; first those that the role with OID 10 has or had.</summary>
    public IReadOnlyList<string> Superusers()
    {
        var rows = Rows(AuthId, SuperOffset + 1).Where(r => r[SuperOffset] != 0).ToList();
        return [.. rows.OrderBy(r => Oid(r) != BootstrapSuperuser).Select(Name).Distinct()];
    }

    /// <summary>Databases.</summary>
    public IReadOnlyList<string> Databases() => [.. Rows(Database, 4 + NameLength).Select(Name).Distinct()];

    private static uint Oid(byte[] row) => BinaryPrimitives.ReadUInt32LittleEndian(row);

    private static string Name(byte[] row)
    {
        var name = row.AsSpan(4, NameLength);
        return Encoding.UTF8.GetString(name[..Math.Max(0, name.IndexOf((byte)0))]);
    }

    /// <summary>The first bytes of every row that is on a page, whoever may see it.</summary>
    private List<byte[]> Rows(uint relation, int length)
    {
        uint file = FileNumber(relation);
        var rel = new RelFileLocator(DataPath.GlobalSpace, 0, file);
        uint blocks = (uint)(new FileInfo(Path.Combine(data, DataPath.RelationFile(PgVersion.Pg17, rel, Fork.Main))).Length / PageRedo.PageSize);
        var rows = new List<byte[]>();
        var pages = new byte[PageStream.MaxPages * PageRedo.PageSize];
        for (uint block = 0; block < blocks; block += PageStream.MaxPages)
        {
            int count = (int)Math.Min(PageStream.MaxPages, blocks - block);
            fetcher.Get(new PageKey(rel, Fork.Main, block), count, pages.AsMemory(0, count * PageRedo.PageSize));
            for (int i = 0; i < count; i++)
            {
                AddRows(pages.AsSpan(i * PageRedo.PageSize, PageRedo.PageSize), length, rows);
            }
        }

        return rows;
    }

    /// <summary>Item pointers begin at 24 (storage/itemid.h: 15 bits offset, 2 flags, 15 length); t_hoff is byte 22 of a tuple (access/htup_details.h).</summary>
    private static void AddRows(ReadOnlySpan<byte> page, int length, List<byte[]> rows)
    {
        int lower = Math.Min((int)BinaryPrimitives.ReadUInt16LittleEndian(page[12..]), page.Length);
        for (int at = 24; at + 4 <= lower; at += 4)
        {
            uint item = BinaryPrimitives.ReadUInt32LittleEndian(page[at..]);
            int offset = (int)(item & 0x7FFF), flags = (int)(item >> 15) & 3, size = (int)(item >> 17);
            if (flags != 1 || offset + size > page.Length || size < 23)
            {
                continue;
            }

            var tuple = page.Slice(offset, size);
            int start = tuple[22];
            if (start + length <= size)
            {
                rows.Add(tuple.Slice(start, length).ToArray());
            }
        }
    }

    /// <summary>From the map of shared relations (utils/cache/relmapper.c): magic, count, then pairs of OID and file number.</summary>
    private uint FileNumber(uint relation)
    {
        byte[] map = File.ReadAllBytes(Path.Combine(data, "global/pg_filenode.map"));
        int count = BinaryPrimitives.ReadInt32LittleEndian(map.AsSpan(4));
        if (BinaryPrimitives.ReadInt32LittleEndian(map) == MapMagic && count >= 0 && 8 + (8 * count) <= map.Length)
        {
            for (int i = 0; i < count; i++)
            {
                if (BinaryPrimitives.ReadUInt32LittleEndian(map.AsSpan(8 + (8 * i))) == relation)
                {
                    return BinaryPrimitives.ReadUInt32LittleEndian(map.AsSpan(12 + (8 * i)));
                }
            }
        }

        throw new PostgresException($"global/pg_filenode.map does not name relation {relation}");
    }
}
