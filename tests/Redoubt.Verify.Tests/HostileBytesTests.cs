using System.Globalization;
using Redoubt.Verify.Bench;
using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>What one real log of each version is good for beside the oracle: fuzzing the reader, the splitter and redo, and redo on all
/// cores. <c>REDOUBT_SOAK=1</c> fuzzes longer, <c>REDOUBT_SEED</c> repeats a run.</summary>
public sealed class HostileBytesTests(ITestOutputHelper output)
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("REDOUBT_SOAK") == "1";

    private static int MutatedRecords => Soak ? 20_000_000 : 550_000;

    private static int MutatedLogs => Soak ? 400_000 : 20_000;

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Hostile_bytes_bring_about_typed_errors_only_and_all_cores_redo_as_one(PgVersion version)
    {
        using var log = await StockLog.MakeAsync(version, TestContext.Current.CancellationToken);
        RedoOnAllCoresEqualsRedoOnOne(log);

        var corpus = FuzzCorpus.From(log);
        Assert.True(corpus.Records.Count > 1500, $"only {corpus.Records.Count} records to mutate");
        int seed = int.Parse(Environment.GetEnvironmentVariable("REDOUBT_SEED") is { Length: > 0 } set ? set : $"{Environment.TickCount & 0xFFFFFF}", CultureInfo.InvariantCulture);
        output.WriteLine($"REDOUBT_SEED={seed}");
        Parallel.For(0, 2, half => FuzzRecords(version, corpus, seed + half));
        FuzzLogs(version, corpus, seed);
    }

    private void FuzzRecords(PgVersion version, FuzzCorpus corpus, int seed)
    {
        var fuzzer = new RecordFuzzer(version, corpus, seed);
        for (int i = 0; i < MutatedRecords / 2; i++)
        {
            fuzzer.Step();
        }

        output.WriteLine($"seed {seed}: {fuzzer.SplitOk} records split, {fuzzer.SplitRefused} refused; {fuzzer.RedoOk} changes redone, {fuzzer.RedoRefused} refused");
        Assert.True(fuzzer.SplitRefused > MutatedRecords / 100);
        Assert.True(fuzzer.RedoRefused > MutatedRecords / 100);
    }

    /// <summary>A damaged byte anywhere in the log is an error or the end of the log; a record that comes out is one that was written.</summary>
    private static void FuzzLogs(PgVersion version, FuzzCorpus corpus, int seed)
    {
        var random = new Random(seed);
        for (int i = 0; i < MutatedLogs; i++)
        {
            var start = corpus.Starts[random.Next(corpus.Starts.Count)];
            int offset = (int)(start - corpus.TailStart);
            byte[] piece = corpus.Tail.AsSpan(offset, Math.Min(corpus.Tail.Length - offset, random.Next(1, 40_000))).ToArray();
            int damagedAt = random.Next(piece.Length);
            byte damage = (byte)(1 << random.Next(8));
            piece[damagedAt] ^= damage;
            try
            {
                using var reader = new WalStreamReader(version, start);
                reader.Append(start, piece);
                while (reader.TryRead(out var record))
                {
                    int from = (int)(record.Start - start);
                    int to = (int)(record.End - start);
                    bool harmless = damagedAt < from || damagedAt >= to || to - from > record.Bytes.Length;
                    Assert.True(harmless, $"seed {seed}: the reader took the record at {record.Start} with a damaged byte.");
                }
            }
            catch (WalFormatException)
            {
                // What damage must bring about.
            }
        }
    }

    private static void RedoOnAllCoresEqualsRedoOnOne(StockLog log)
    {
        using var cluster = new ClusterState(log.StartFolder, log.ScratchFolder);
        var oracle = new RedoOracle(log.Version, cluster, log.Control());
        log.Read(oracle.Apply);
        Assert.False(oracle.Counts.Failed);

        using var parallel = new ParallelRedo(log.Version, log.Control, log.StartFolder, log.ScratchFolder, workers: 3);
        parallel.Run(log.Read);
        Assert.Equal(oracle.Counts.BlockChanges, parallel.BlockChanges);
        long pages = 0;
        foreach (var rel in cluster.Pages.Relations)
        {
            for (Fork fork = Fork.Main; fork <= Fork.Init; fork++)
            {
                for (uint block = 0; block < (cluster.Pages.Blocks(rel, fork) ?? 0); block++)
                {
                    var key = new PageKey(rel, fork, block);
                    Assert.True(cluster.Pages.Find(key).SequenceEqual(parallel.Find(key)), $"{key} differs.");
                    pages++;
                }
            }
        }

        Assert.True(pages > 3000);
    }
}
