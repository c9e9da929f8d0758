using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>Real records of every kind in a log, with the pages they change as they were before, and the places where records begin.</summary>
public sealed class FuzzCorpus
{
    private const int PerKind = 40;
    private const int TailLength = 1024 * 1024;

    private readonly Dictionary<int, int> _kept = [];

    /// <summary>The records.</summary>
    public List<FuzzRecord> Records { get; } = [];

    /// <summary>Where records of <see cref="Tail"/> begin.</summary>
    public List<Lsn> Starts { get; } = [];

    /// <summary>The end of the log as it stands in its file.</summary>
    public byte[] Tail { get; private set; } = [];

    /// <summary>Position of the tail's first byte: a page's start.</summary>
    public Lsn TailStart { get; private set; }

    /// <summary>Counters after the log, encoded.</summary>
    public byte[] Control { get; private set; } = [];

    /// <summary>Reads a log, redoing it on the way.</summary>
    public static FuzzCorpus From(StockLog log)
    {
        var corpus = new FuzzCorpus { TailStart = new Lsn((log.End.Value - Math.Min(TailLength, log.End.Value % WalFiles.SegmentSize)) & ~8191ul) };
        using var cluster = new ClusterState(log.StartFolder, log.ScratchFolder);
        var oracle = new RedoOracle(log.Version, cluster, log.Control());
        log.Read((in WalRecord record) =>
        {
            if (record.Start >= corpus.TailStart)
            {
                corpus.Starts.Add(record.Start);
            }

            corpus.Keep(record, oracle);
            oracle.Apply(record);
        });
        corpus.KeepTail(log);
        corpus.Control = oracle.Control.Encode();
        return corpus;
    }

    private void KeepTail(StockLog log)
    {
        using var files = new WalFiles(log.WalFolder);
        Tail = new byte[(int)(log.End - TailStart)];
        for (int at = 0; at < Tail.Length;)
        {
            at += files.Read(TailStart + (ulong)at, log.End, Tail.AsSpan(at));
        }
    }

    private void Keep(in WalRecord record, RedoOracle oracle)
    {
        int kind = (record.Rmgr << 8) | (record.Info & 0xF0);
        _kept.TryGetValue(kind, out int kept);
        if (kept >= PerKind)
        {
            return;
        }

        _kept[kind] = kept + 1;
        var pages = new List<(PageKey, byte[])>();
        var sink = new BlocksOnly<DelegateSink>(new DelegateSink((in BlockChange change) =>
        {
            var page = oracle.Cluster.Pages.Find(change.Key);
            pages.Add((change.Key, page.IsEmpty ? new byte[PageRedo.PageSize] : page.ToArray()));
        }));
        RecordSplitter.Split(oracle.Version, record, oracle.Control, ref sink);
        Records.Add(new FuzzRecord(record.Bytes.ToArray(), record.Start, record.End, pages));
    }
}

/// <summary>One real record.</summary>
/// <param name="Bytes">The record.</param>
/// <param name="Start">Its place.</param>
/// <param name="End">Its end.</param>
/// <param name="Pages">The pages it changes, as before it.</param>
public sealed record FuzzRecord(byte[] Bytes, Lsn Start, Lsn End, List<(PageKey Key, byte[] Page)> Pages);
