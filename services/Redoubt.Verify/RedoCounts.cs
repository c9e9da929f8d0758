using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>What the oracle saw: records per kind, changes, comparisons, differences.</summary>
public sealed class RedoCounts(PgVersion version)
{
    private readonly long[] _seen = new long[256 * 16];
    private readonly long[] _compared = new long[256 * 16];
    private readonly long[] _mismatched = new long[256 * 16];

    /// <summary>Records read.</summary>
    public long Records { get; private set; }

    /// <summary>Changes of pages, explicit and implicit.</summary>
    public long BlockChanges { get; set; }

    /// <summary>Pages compared with PostgreSQL's image of them.</summary>
    public long PagesCompared { get; set; }

    /// <summary>Pages (and files) that differ.</summary>
    public long Mismatches { get; set; }

    /// <summary>Records of a kind without redo.</summary>
    public long Unknown { get; set; }

    /// <summary>Records or changes that redo refused with an error: each is a mismatch too in <see cref="Failed"/>.</summary>
    public long Refused { get; set; }

    /// <summary>True when anything at all went wrong.</summary>
    public bool Failed => Mismatches + Unknown + Refused > 0;

    public void Saw(byte rmgr, byte info)
    {
        Records++;
        _seen[Index(rmgr, info)]++;
    }

    public void Compared(byte rmgr, byte info)
    {
        PagesCompared++;
        _compared[Index(rmgr, info)]++;
    }

    public void Mismatched(byte rmgr, byte info)
    {
        Mismatches++;
        _mismatched[Index(rmgr, info)]++;
    }

    /// <summary>Adds another run's figures.</summary>
    public void Add(RedoCounts other)
    {
        Records += other.Records;
        BlockChanges += other.BlockChanges;
        PagesCompared += other.PagesCompared;
        Mismatches += other.Mismatches;
        Unknown += other.Unknown;
        Refused += other.Refused;
        for (int i = 0; i < _seen.Length; i++)
        {
            _seen[i] += other._seen[i];
            _compared[i] += other._compared[i];
            _mismatched[i] += other._mismatched[i];
        }
    }

    /// <summary>Every kind that PostgreSQL can write and every other kind that was seen, with its figures.</summary>
    public IEnumerable<RedoKindCount> Kinds()
    {
        var known = RmgrNames.AllKinds(version).ToDictionary(kind => Index(kind.Rmgr, kind.Info), kind => kind.Name);
        for (int i = 0; i < _seen.Length; i++)
        {
            byte rmgr = (byte)(i >> 4);
            byte info = (byte)(i << 4);
            if (known.TryGetValue(i, out string? name) || _seen[i] > 0)
            {
                yield return new RedoKindCount(rmgr, info, name ?? RmgrNames.Kind(version, rmgr, info), _seen[i], _compared[i], _mismatched[i]);
            }
        }
    }

    // XLOG_XACT_HAS_INFO says something about a transaction record's contents, not its kind.
    private static int Index(byte rmgr, byte info) => (rmgr << 4) | ((rmgr == RmgrId.Transaction ? info & 0x70 : info & 0xF0) >> 4);
}

/// <summary>Figures of one record kind.</summary>
/// <param name="Rmgr">Resource manager id.</param>
/// <param name="Info"><c>xl_info</c> without its low bits.</param>
/// <param name="Name">The kind's name as pg_waldump prints it.</param>
/// <param name="Seen">Records.</param>
/// <param name="Compared">Pages compared.</param>
/// <param name="Mismatched">Pages that differ.</param>
public readonly record struct RedoKindCount(byte Rmgr, byte Info, string Name, long Seen, long Compared, long Mismatched);
