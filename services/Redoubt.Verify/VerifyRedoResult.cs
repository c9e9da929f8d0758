using Redoubt.Verify.Workloads;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>What <see cref="VerifyRedo"/> found.</summary>
public sealed class VerifyRedoResult(PgVersion version)
{
    public PgVersion Version { get; } = version;

    /// <summary>Figures of all passes together.</summary>
    public RedoCounts Counts { get; } = new(version);

    /// <summary>Bytes of log read.</summary>
    public ulong WalBytes { get; set; }

    /// <summary>Pages compared with data directories at the end of the passes.</summary>
    public long FinalPages { get; set; }

    /// <summary>Files compared with a standby's, byte by byte.</summary>
    public long FilesCompared { get; set; }

    /// <summary>The first differences and refusals, one sentence each.</summary>
    public List<string> Messages { get; } = [];

    /// <summary>True when redo equals PostgreSQL's everywhere, with no kind unknown.</summary>
    public bool Passed => !Counts.Failed;

    /// <summary>Kinds that PostgreSQL has and no record was seen of, each with the reason when there is one.</summary>
    public IEnumerable<string> Unseen() => Counts.Kinds()
        .Where(kind => kind.Seen == 0)
        .Select(kind => $"{RmgrNames.Rmgr(kind.Rmgr)} {kind.Name}: {UnreachableKinds.Reason(kind.Rmgr, kind.Info) ?? "no workload of this run brought it about"}");
}
