using Google.Protobuf;
using Grpc.Core;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

public sealed partial class PageTests
{
    private static readonly RelFileLocator Table = new(1663, 5, 16384);
    private static readonly int[] All = [0, 1, 2];

    [Fact]
    public async Task Every_version_of_a_page_is_served_at_its_read_point()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        var ends = new List<ulong>();
        for (byte i = 1; i <= 5; i++)
        {
            await AppendAsync(writer, [0], TestRecords.FullPage(Key(3), TestRecords.Page(i)));
            ends.Add(writer.End);
        }

        for (byte i = 1; i <= 5; i++)
        {
            byte[] page = (await ReadAsync(volume, 0, writer, ends[i - 1], Key(3)))!;
            Assert.Equal(i, page[100]);
            Assert.Equal(ends[i - 1], PageLsn(page));
        }

        Assert.Null(await ReadAsync(volume, 0, writer, ends[0] - 1, Key(3)));
        Assert.Null(await ReadAsync(volume, 0, writer, ends[4], Key(2)));
    }

    [Fact]
    public async Task A_read_beyond_what_the_segment_has_is_refused()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        await AppendAsync(writer, [0], TestRecords.FullPage(Key(0), TestRecords.Page(1)));
        var request = Request(volume, writer, writer.End + 8, Key(0));
        request.CompleteAt = writer.End + 8;
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(0).GetPagesAsync(request));
        Assert.Equal(StatusCode.FailedPrecondition, refused.StatusCode);
        Assert.Equal("incomplete", refused.Trailers.GetValue("redoubt-reason"));
    }

    [Fact]
    public async Task A_restart_rebuilds_identical_pages_from_the_log()
    {
        await using var volume = await TestVolume.StartAsync(3);
        await using var writer = await OpenAsync(volume, All);
        await WorkAsync(writer, All, seed: 11, records: 400);
        var before = await ChecksumsAsync(volume, 0, writer);
        Assert.Equal(before, await ChecksumsAsync(volume, 1, writer));
        await volume.StopAsync(0);

        // As after a crash before any flush: the store is gone, only the log is there.
        foreach (string store in Directory.GetDirectories(Path.Combine(volume.DataDir(0), "group-0"), "pages-*"))
        {
            Directory.Delete(store, recursive: true);
        }

        await volume.StartAsync(0);
        Assert.Equal(before, await ChecksumsAsync(volume, 0, writer));
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        Assert.Equal(before, await ChecksumsAsync(volume, 0, writer));
    }

    [Fact]
    public async Task A_lost_disk_is_rebuilt_from_peers_whose_log_begins_later()
    {
        await using var volume = await TestVolume.StartAsync(3, change: o => o with { LogRetentionBytes = 1 << 20, LogFileBytes = 1 << 18 });
        await using var writer = await OpenAsync(volume, All);
        await WorkAsync(writer, All, seed: 12, records: 800);
        await volume.UntilTrimmedAsync(All, writer.End);

        var before = await ChecksumsAsync(volume, 0, writer);
        await volume.StopAsync(2);
        volume.Wipe(2);
        await volume.StartAsync(2);
        await TestVolume.Until(async () => (await volume.StateAsync(2)) is { Joined: true, State: "complete" } s && s.Scl == writer.End, "rebuilt");
        Assert.Equal(before, await ChecksumsAsync(volume, 2, writer));
        Assert.Equal(1UL, (await volume.StateAsync(2)).Epoch);
    }

    [Fact]
    public async Task A_copy_without_memory_grants_no_epoch_before_it_has_caught_up()
    {
        await using var volume = await TestVolume.StartAsync(3);
        await using (var writer = await OpenAsync(volume, All))
        {
            await WorkAsync(writer, All, seed: 13, records: 20);
        }

        foreach (int i in All)
        {
            await volume.StopAsync(i);
        }

        volume.Wipe(2);
        await volume.StartAsync(2);
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(2).OpenEpochAsync(volume.EpochRequest(9)));
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        await volume.StartAsync(0);
        await volume.StartAsync(1);
        await TestVolume.Until(async () => (await volume.StateAsync(2)) is { Joined: true }, "joined");
        Assert.Equal((await volume.StateAsync(0)).Scl, (await volume.StateAsync(2)).Scl);
        Assert.Equal(9UL, (await volume.Client(2).OpenEpochAsync(volume.EpochRequest(9))).Epoch);
    }

    [Fact]
    public async Task Truncated_blocks_do_not_come_back()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        for (uint block = 0; block < 4; block++)
        {
            await AppendAsync(writer, [0], TestRecords.FullPage(Key(block), TestRecords.Page((byte)(block + 1))));
        }

        ulong full = writer.End;
        await AppendAsync(writer, [0], TestRecords.Truncate(Table, 2));
        ulong cut = writer.End;
        Assert.NotNull(await ReadAsync(volume, 0, writer, full, Key(3)));
        Assert.Null(await ReadAsync(volume, 0, writer, cut, Key(3)));
        Assert.NotNull(await ReadAsync(volume, 0, writer, cut, Key(1)));
        Assert.Equal((4u, 2u), (await BlocksAsync(volume, writer, full), await BlocksAsync(volume, writer, cut)));
        await AppendAsync(writer, [0], TestRecords.FullPage(Key(5), TestRecords.Page(9)));
        Assert.Null(await ReadAsync(volume, 0, writer, writer.End, Key(3)));
        Assert.Equal(6u, await BlocksAsync(volume, writer, writer.End));
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        Assert.Null(await ReadAsync(volume, 0, writer, writer.End, Key(3)));
    }

    [Fact]
    public async Task Pages_of_a_truncated_commit_log_go_and_new_ones_of_the_same_number_stay()
    {
        const uint XidsPerPage = 32_768;
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        ulong first = 0;
        foreach (uint page in (uint[])[0, 31, 32, 64, 70])
        {
            await AppendAsync(writer, [0], TestRecords.ZeroCommitLog(page));
            first = first == 0 ? writer.End : first;
            await AppendAsync(writer, [0], TestRecords.Commit((page * XidsPerPage) + 4));
        }

        ulong full = writer.End;

        // Refused as PostgreSQL refuses it: the page in use would go.
        await AppendAsync(writer, [0], TestRecords.TruncateCommitLog(128));
        Assert.Equal((bool[])[true, true, true, true, true], await FoundAsync(writer.End));
        await AppendAsync(writer, [0], TestRecords.TruncateCommitLog(65));
        ulong cut = writer.End;
        Assert.Equal((bool[])[true, true, true, true, true], await FoundAsync(full));
        Assert.Equal((bool[])[false, false, false, true, true], await FoundAsync(cut));

        // Once around the circle the number comes again.
        await AppendAsync(writer, [0], TestRecords.ZeroCommitLog(31));
        await AppendAsync(writer, [0], TestRecords.Commit((31 * XidsPerPage) + 8));
        byte[] expected = new byte[PageRedo.PageSize];
        expected[2] = 1;
        Assert.Equal(expected, await ReadAsync(volume, 0, writer, writer.End, PageKey.Slru(Fork.SlruXact, 31)));
        await writer.HeartbeatAsync(0, writer.End);
        var segment = volume.Server(0).Host.Segments[0];
        await TestVolume.Until(
            () => Task.FromResult(Record.Exception(() => segment.SpoilRow(PageKey.Slru(Fork.SlruXact, 0), first)) is ArgumentException), "the row goes");
        for (int round = 0; round < 2; round++)
        {
            Assert.Equal((bool[])[false, true, false, true, true], await FoundAsync(writer.End));
            Assert.Equal(expected, await ReadAsync(volume, 0, writer, writer.End, PageKey.Slru(Fork.SlruXact, 31)));
            await volume.StopAsync(0);
            await volume.StartAsync(0);
        }

        async Task<bool[]> FoundAsync(ulong at)
        {
            var found = new List<bool>();
            foreach (uint page in (uint[])[0, 31, 32, 64, 70])
            {
                found.Add(await ReadAsync(volume, 0, writer, at, PageKey.Slru(Fork.SlruXact, page)) is not null);
            }

            return [.. found];
        }
    }

    [Fact]
    public async Task Truncated_multixact_members_go_around_the_circle()
    {
        const uint Last = uint.MaxValue / 1636;
        uint[] pages = [0, 31, 32, 1_500_000, Last - 40, Last];
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        foreach (uint page in pages)
        {
            await AppendAsync(writer, [0], TestRecords.ZeroMembers(page));
        }

        ulong full = writer.End;

        // What is left is more than half of the circle.
        await AppendAsync(writer, [0], TestRecords.TruncateMembers(Last - 40, 33));
        for (int round = 0; round < 2; round++)
        {
            Assert.Equal((bool[])[true, true, true, true, true, true], await FoundAsync(full));
            Assert.Equal((bool[])[false, false, true, true, false, false], await FoundAsync(writer.End));
            await volume.StopAsync(0);
            await volume.StartAsync(0);
        }

        async Task<bool[]> FoundAsync(ulong at)
        {
            var found = new List<bool>();
            foreach (uint page in pages)
            {
                found.Add(await ReadAsync(volume, 0, writer, at, PageKey.Slru(Fork.SlruMultiXactMembers, page)) is not null);
            }

            return [.. found];
        }
    }

    [Fact]
    public async Task Long_chains_become_images_and_read_the_same()
    {
        await using var volume = await TestVolume.StartAsync(1, change: o => o with { CoalesceAfter = 128 });
        await using var writer = await OpenAsync(volume, [0]);
        var clog = PageKey.Slru(Fork.SlruXact, 0);
        for (uint xid = 1000; xid < 1200; xid++)
        {
            await AppendAsync(writer, [0], TestRecords.Commit(xid));
        }

        ulong middle = writer.End;
        byte[] first = (await ReadAsync(volume, 0, writer, middle, clog))!;
        await TestVolume.Until(async () =>
        {
            byte[] metrics = await new HttpClient().GetByteArrayAsync(new Uri(volume.Server(0).HttpEndpoint, "metrics"));
            return System.Text.Encoding.UTF8.GetString(metrics).Split('\n')
                .Any(l => l.StartsWith("redoubt_storage_pages_coalesced_total{", StringComparison.Ordinal) && !l.EndsWith(" 0", StringComparison.Ordinal));
        }, "an image is made");
        Assert.Equal(first, await ReadAsync(volume, 0, writer, middle, clog));
        for (uint xid = 1000; xid < 1200; xid++)
        {
            Assert.Equal(1, (first[xid / 4] >> (int)(xid % 4 * 2)) & 3);
        }
    }

    [Fact]
    public async Task Reads_below_the_horizon_are_refused_and_above_it_nothing_changes()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        await WorkAsync(writer, [0], seed: 14, records: 300);
        ulong horizon = writer.End;
        var atHorizon = await ChecksumsAsync(volume, 0, writer, horizon);
        await WorkAsync(writer, [0], seed: 15, records: 100);
        var atEnd = await ChecksumsAsync(volume, 0, writer);
        await writer.HeartbeatAsync(0, horizon);
        await TestVolume.Until(async () =>
        {
            try
            {
                await volume.Client(0).GetPagesAsync(Request(volume, writer, horizon - 8, Key(0)));
                return false;
            }
            catch (RpcException e)
            {
                Assert.Equal(StatusCode.OutOfRange, e.StatusCode);
                return true;
            }
        }, "the horizon moves");
        await TestVolume.Until(async () => (await new HttpClient().GetStringAsync(new Uri(volume.Server(0).HttpEndpoint, "metrics"))).Split('\n')
            .Any(l => l.StartsWith("redoubt_storage_rows_collected_total{", StringComparison.Ordinal) && !l.EndsWith(" 0", StringComparison.Ordinal)), "rows go");
        Assert.Equal(atHorizon, await ChecksumsAsync(volume, 0, writer, horizon));
        Assert.Equal(atEnd, await ChecksumsAsync(volume, 0, writer));
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await volume.Client(0).GetPagesAsync(Request(volume, writer, horizon - 8, Key(0))));
        Assert.Equal(StatusCode.OutOfRange, refused.StatusCode);
    }

    [Fact]
    public async Task A_damaged_row_is_not_served_but_repaired_from_a_peer()
    {
        await using var volume = await TestVolume.StartAsync(3);
        await using var writer = await OpenAsync(volume, All);
        await AppendAsync(writer, All, TestRecords.FullPage(Key(0), TestRecords.Page(42)));
        byte[] good = (await ReadAsync(volume, 0, writer, writer.End, Key(0)))!;
        volume.Server(0).Host.Segments[0].SpoilRow(Key(0), writer.End);
        Assert.Equal(good, await ReadAsync(volume, 0, writer, writer.End, Key(0)));
        Assert.Equal(1, volume.Server(0).Host.Segments[0].Metrics.CorruptionFound);
        Assert.Equal(1, volume.Server(0).Host.Segments[0].Metrics.CorruptionRepaired);
        Assert.Equal(good, await ReadAsync(volume, 0, writer, writer.End, Key(0)));
        Assert.Equal(1, volume.Server(0).Host.Segments[0].Metrics.CorruptionFound);
    }

    [Fact]
    public async Task Scrubbing_finds_damage_in_every_round()
    {
        await using var volume = await TestVolume.StartAsync(3, change: o => o with { ScrubBytesPerSecond = 1 << 20 });
        await using var writer = await OpenAsync(volume, All);
        var written = new ulong[3];
        for (uint block = 0; block < written.Length; block++)
        {
            await AppendAsync(writer, All, TestRecords.FullPage(Key(block), TestRecords.Page(42)));
            written[block] = writer.End;
        }

        // Its PG_VERSION becomes a row behind those of pages.
        await AppendAsync(writer, All, TestRecords.CreateDatabase(6));
        await ReadAsync(volume, 0, writer, writer.End, Key(0));
        var segment = volume.Server(0).Host.Segments[0];
        for (uint block = 0; block < written.Length; block++)
        {
            segment.SpoilRow(Key(block), written[block]);
            await TestVolume.Until(() => Task.FromResult(segment.Metrics.CorruptionRepaired == block + 1), $"the row of block {block} is repaired");
        }
    }

    [Theory]
    [InlineData("*.sst", true)]
    [InlineData("*.sst", false)]
    [InlineData("*.blob", true)]
    [InlineData("*.blob", false)]
    public async Task A_page_store_with_flipped_bits_is_never_served_and_made_anew(string tables, bool restart)
    {
        await using var volume = await TestVolume.StartAsync(3, change: o => o with { BlockCacheBytes = 1 << 16 });
        await using var writer = await OpenAsync(volume, All);
        await WorkAsync(writer, All, seed: 21, records: 300);
        var good = await ChecksumsAsync(volume, 1, writer);
        await ChecksumsAsync(volume, 0, writer);
        volume.Server(0).Host.Segments[0].FlushNow();
        string store = Directory.GetDirectories(Path.Combine(volume.DataDir(0), "group-0"), "pages-*").Single();
        if (restart)
        {
            await volume.StopAsync(0);
        }

        string[] files = Directory.GetFiles(store, tables);
        Assert.NotEmpty(files);
        foreach (string table in files)
        {
            byte[] bytes = await File.ReadAllBytesAsync(table);
            for (int i = 100; i < bytes.Length; i += 1000)
            {
                bytes[i] ^= 0x10;
            }

            await using var file = new FileStream(table, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            await file.WriteAsync(bytes);
        }

        if (restart)
        {
            await volume.StartAsync(0);
        }

        for (uint block = 0; block < 50; block++)
        {
            try
            {
                byte[]? page = await ReadAsync(volume, 0, writer, writer.End, Key(block));
                Assert.Equal(await ReadAsync(volume, 1, writer, writer.End, Key(block)), page);
            }
            catch (RpcException)
            {
                // Refused is right, wrong bytes are not.
            }
        }

        var metrics = volume.Server(0).Host.Segments[0].Metrics;
        await TestVolume.Until(async () => metrics.CorruptionFound > 0 && (await volume.StateAsync(0)).State == "complete", "made anew");
        await TestVolume.Until(async () =>
        {
            try
            {
                return good.SequenceEqual(await ChecksumsAsync(volume, 0, writer));
            }
            catch (RpcException)
            {
                return false;
            }
        }, "all pages are right again");
    }

    [Fact]
    public async Task An_import_arrives_whole_in_bootstrap()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = new TestWriter(volume, 1);
        await writer.OpenAsync([0]);
        var items = new ImportItemWriter();
        items.AddPage(Key(0), TestRecords.Page(5));
        items.AddPage(Key(1), TestRecords.Page(6));
        byte[][] bodies =
        [
            items.FinishPages().ToArray(), items.ForkSize(Table, Fork.Main, 7).ToArray(), items.File("PG_VERSION", "17\n"u8).ToArray(),
            items.Database(5, 1663).ToArray(), items.Tablespace(1663, "").ToArray(),
        ];
        foreach (byte[] body in bodies)
        {
            byte[] frame = writer.Frame(body, length: 1, LogEntryKind.Import);
            writer.Vdl = writer.End;
            await writer.SendAsync(0, frame);
        }

        await writer.UntilAcked(0, writer.End);
        var request = new GetBootstrapRequest { Segment = volume.Id(), Epoch = 1, ReadPoint = writer.End, CompleteAt = writer.End };
        var chunks = await volume.Client(0).GetBootstrap(request).ResponseStream.ReadAllAsync().ToListAsync();
        var chunk = Assert.Single(chunks);
        Assert.Equal(7u, Assert.Single(chunk.Forks).Blocks);
        Assert.Equal("PG_VERSION", Assert.Single(chunk.Files).Path);
        Assert.Equal(5u, Assert.Single(chunk.Databases).Oid);
        Assert.Equal(6, (await ReadAsync(volume, 0, writer, writer.End, Key(1)))![100]);

        // An import that never finished is truncated to nothing and done again.
        await using var again = new TestWriter(volume, 2);
        await again.OpenAsync([0], 0, 0, new Truncation { Epoch = 1 });
        var state = await volume.StateAsync(0);
        Assert.Equal((0UL, 0UL, 0UL), (state.Scl, state.Applied, state.Vdl));
        await again.SendAsync(0, again.Frame(bodies[2], length: 1, LogEntryKind.Import));
        again.Vdl = again.End;
        await again.HeartbeatAsync(0);
        request = new GetBootstrapRequest { Segment = volume.Id(), Epoch = 2, ReadPoint = again.End, CompleteAt = again.End };
        await again.UntilAcked(0, again.End);
        chunk = Assert.Single(await volume.Client(0).GetBootstrap(request).ResponseStream.ReadAllAsync().ToListAsync());
        Assert.Empty(chunk.Forks);
        Assert.Single(chunk.Files);
    }

    [Fact]
    public async Task Log_below_what_is_durable_cannot_be_truncated()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        await AppendAsync(writer, [0], TestRecords.FullPage(Key(0), TestRecords.Page(1)));
        await ReadAsync(volume, 0, writer, writer.End, Key(0));
        await volume.Client(0).OpenEpochAsync(volume.EpochRequest(2));
        await using var second = new TestWriter(volume, 2);
        var refused = await Assert.ThrowsAsync<RpcException>(() => second.TruncateAsync(0, writer.End - 8, 0, new Truncation { Epoch = 1 }));
        Assert.Equal("contradiction", refused.Trailers.GetValue("redoubt-reason"));
    }

    private static PageKey Key(uint block) => new(Table, Fork.Main, block);

    private static ulong PageLsn(byte[] page) => ((ulong)BitConverter.ToUInt32(page, 0) << 32) | BitConverter.ToUInt32(page, 4);

    private static async Task<TestWriter> OpenAsync(TestVolume volume, int[] on)
    {
        var writer = new TestWriter(volume, 1);
        await writer.OpenAsync(on);
        return writer;
    }

    private static async Task AppendAsync(TestWriter writer, int[] to, byte[] record)
    {
        byte[] frame = writer.Frame(record, (ulong)((record.Length + 7) & ~7));
        await writer.SendAsync(to, frame);
        await writer.UntilAcked(to, writer.End);
        writer.Vdl = writer.End;
    }

    /// <summary>Random images and commits.</summary>
    private static async Task WorkAsync(TestWriter writer, int[] to, int seed, int records)
    {
        var random = new Random(seed);
        for (int i = 0; i < records; i++)
        {
            byte[] record = random.Next(4) == 0
                ? TestRecords.FullPage(Key((uint)random.Next(50)), TestRecords.Page((byte)random.Next(1, 255)))
                : TestRecords.Commit((uint)random.Next(1000, 90_000));
            await writer.SendAsync(to, writer.Frame(record, (ulong)((record.Length + 7) & ~7)));
        }

        await DurableAsync(writer, to);
    }

    private static GetPagesRequest Request(TestVolume volume, TestWriter writer, ulong at, PageKey key)
    {
        byte[] bytes = new byte[PageKey.EncodedLength];
        key.Write(bytes);
        return new GetPagesRequest { Segment = volume.Id(), Epoch = writer.Epoch, ReadPoint = at, CompleteAt = at, Keys = ByteString.CopyFrom(bytes) };
    }

    private static async Task<byte[]?> ReadAsync(TestVolume volume, int index, TestWriter writer, ulong at, PageKey key)
    {
        await writer.TellDurableAsync(index, at);
        var request = Request(volume, writer, at, key);
        request.CompleteAt = Math.Min(at, writer.End);
        var reply = await volume.Client(index).GetPagesAsync(request);
        Assert.Equal(PageRedo.PageSize, reply.Pages.Length);
        if (reply.Found[0] == 0)
        {
            Assert.True(reply.Pages.Span.IndexOfAnyExcept((byte)0) < 0);
            return null;
        }

        return reply.Pages.ToByteArray();
    }

    private static async Task<uint> BlocksAsync(TestVolume volume, TestWriter writer, ulong at)
    {
        await writer.TellDurableAsync(0, at);
        var request = new GetBootstrapRequest { Segment = volume.Id(), Epoch = writer.Epoch, ReadPoint = at, CompleteAt = at };
        var chunks = await volume.Client(0).GetBootstrap(request).ResponseStream.ReadAllAsync().ToListAsync();
        return chunks.SelectMany(c => c.Forks).Single(f => f.Rel == Table.RelNumber && f.Fork == 0).Blocks;
    }

    private static async Task<List<(PageKey Key, uint Crc)>> ChecksumsAsync(TestVolume volume, int index, TestWriter writer, ulong at = 0)
    {
        at = at == 0 ? writer.End : at;
        await writer.TellDurableAsync(index, at);
        var sums = new List<(PageKey, uint)>();
        var request = new ChecksumPagesRequest { Segment = volume.Id(), Epoch = writer.Epoch, ReadPoint = at, CompleteAt = at };
        await foreach (var chunk in volume.Client(index).ChecksumPages(request).ResponseStream.ReadAllAsync())
        {
            for (int i = 0; i < chunk.Keys.Length / PageKey.EncodedLength; i++)
            {
                sums.Add((PageKey.Read(chunk.Keys.Span[(i * PageKey.EncodedLength)..]), BitConverter.ToUInt32(chunk.Crcs.Span[(i * 4)..])));
            }
        }

        Assert.NotEmpty(sums);
        return sums;
    }
}
