using Redoubt.Protocol;
using Redoubt.Storage.LogFiles;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

public sealed class LogScanTests : IDisposable
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), "redoubt-scan-" + Guid.NewGuid().ToString("N")[..12]);

    [Fact]
    public void Whatever_bytes_are_flipped_only_genuine_frames_come_back()
    {
        int seed = Random.Shared.Next(1_000_000);
        var random = new Random(seed);
        var written = Write(random, frames: 60);
        string path = Path.Combine(_folder, LogFile.NameOf(1));
        byte[] good = File.ReadAllBytes(path);
        int end = Array.FindLastIndex(good, b => b != 0) + 1;
        for (int round = 0; round < 300; round++)
        {
            byte[] bad = [.. good];
            for (int flips = random.Next(1, 6); flips > 0; flips--)
            {
                int at = random.Next(LogFile.HeaderLength, end);
                switch (random.Next(3))
                {
                    case 0:
                        bad[at] ^= (byte)(1 << random.Next(8));
                        break;
                    case 1:
                        random.NextBytes(bad.AsSpan(at, Math.Min(random.Next(1, 600), bad.Length - at)));
                        break;
                    default:
                        // A write that went to the wrong place.
                        int from = random.Next(LogFile.HeaderLength, end);
                        good.AsSpan(from, Math.Min(300, bad.Length - Math.Max(from, at))).CopyTo(bad.AsSpan(at));
                        break;
                }
            }

            File.WriteAllBytes(path, bad);
            var found = Scan(out int damage);
            Assert.True(found.All(f => written.TryGetValue(f.Key, out string? body) && body == f.Value), $"seed {seed} round {round}: a frame that nobody wrote");
            Assert.True(found.Count == written.Count || damage > 0 || IsPrefix(found, written), $"seed {seed} round {round}: frames are missing in the middle and nobody said so");
        }
    }

    [Fact]
    public void A_recycled_file_shows_nothing_of_its_former_life()
    {
        Write(new Random(1), frames: 20);
        using (var file = LogFile.Open(Path.Combine(_folder, LogFile.NameOf(1))))
        {
            file.Recycle(_folder, 7);
        }

        Assert.Empty(Scan(out int damage));
        Assert.Equal(0, damage);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static bool IsPrefix(Dictionary<ulong, string> found, Dictionary<ulong, string> written) =>
        found.Keys.Order().SequenceEqual(written.Keys.Order().Take(found.Count));

    private Dictionary<ulong, string> Write(Random random, int frames)
    {
        var sink = new Sink();
        var written = new Dictionary<ulong, string>();
        var log = new SegmentLog(_folder, 1 << 18, sink, new StorageMetrics().Of(0));
        log.Open(long.MaxValue, _ => { });
        var writer = new LogFrameWriter();
        ulong end = 0x1000000;
        for (int i = 0; i < frames; i++)
        {
            byte[] body = new byte[random.Next(1, 2000)];
            random.NextBytes(body);
            writer.Begin(1, new Lsn(end));
            writer.Add(LogEntryKind.WalRecord, new Lsn(end), new Lsn(end + 8), 1, body);
            end += 8;
            byte[] frame = writer.Finish().ToArray();
            written.Add(end, Convert.ToHexString(frame));
            log.Append([PendingAppend.Parse(frame, null)]);
            Assert.Equal(i + 1, sink.Count);
        }

        log.Dispose();
        foreach (string spare in Directory.GetFiles(_folder).Where(f => Path.GetFileName(f) != LogFile.NameOf(1)))
        {
            File.Delete(spare);
        }

        return written;
    }

    private Dictionary<ulong, string> Scan(out int damage)
    {
        var found = new Dictionary<ulong, string>();
        var log = new SegmentLog(_folder, 1 << 18, new Sink(), new StorageMetrics().Of(0));
        var places = new List<LogFrameBytes>();
        damage = log.Open(long.MaxValue, places.Add).Count;
        foreach (var place in places)
        {
            found[place.End.To] = Convert.ToHexString(log.Read(place.At)!);
        }

        log.Dispose();
        return found;
    }

    private sealed class Sink : ILogSink
    {
        public int Count { get; private set; }

        public void Durable(IReadOnlyList<PendingAppend> frames) => Count += frames.Count;

        public void Failing(Exception? error)
        {
        }
    }
}
