namespace Redoubt.Wal.Benchmarks;

/// <summary>Redoes a log on pages in memory and keeps, of each kind of change, the one in the middle.</summary>
internal readonly struct SampleSink(Dictionary<PageKey, byte[]> pages, Dictionary<string, List<SampleChange>> found) : IBlockSink
{
    private const uint FirstUserRelation = 16384;
    private const int Kept = 400;

    public static Dictionary<string, SampleChange> Collect()
    {
        var found = new Dictionary<string, List<SampleChange>>();
        var sink = new BlocksOnly<SampleSink>(new SampleSink([], found));
        ControlState control = SampleLog.NewControl();
        using var reader = new WalStreamReader(SampleLog.Version, control.Lsn);
        reader.Append(SampleLog.First, SampleLog.Bytes);
        while (reader.TryRead(out WalRecord record))
        {
            RecordSplitter.Split(SampleLog.Version, record, control, ref sink);
            control.Apply(SampleLog.Version, record);
        }

        return found.ToDictionary(kind => kind.Key, kind => kind.Value[kind.Value.Count / 2]);
    }

    public void Block(in BlockChange change)
    {
        if (change.Key.IsSlru || change.Key.Rel.RelNumber < FirstUserRelation)
        {
            return;
        }

        if (!pages.TryGetValue(change.Key, out byte[]? page))
        {
            pages[change.Key] = page = new byte[PageRedo.PageSize];
        }

        string kind = $"{RmgrNames.Rmgr(change.Rmgr)} {RmgrNames.Describe(change.Rmgr, change.Info).Split(' ')[1]} {change.BlockId}";
        if (!found.TryGetValue(kind, out List<SampleChange>? samples))
        {
            found[kind] = samples = [];
        }

        if (samples.Count < Kept)
        {
            byte[] encoded = new byte[change.EncodedLength];
            change.Encode(encoded);
            samples.Add(new SampleChange(change.Key, change.Lsn, (byte[])page.Clone(), encoded));
        }

        PageRedo.Apply(SampleLog.Version, change, page);
    }
}
