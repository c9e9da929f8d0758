using System.Buffers.Binary;
using Google.Protobuf;
using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

/// <content>Many changes of a page in one row.</content>
public sealed partial class PageTests
{
    private const uint FirstXid = 1000;
    private static readonly PageKey CommitLog = PageKey.Slru(Fork.SlruXact, 0);
    private static readonly RelFileLocator LastTable = new(1663, 5, 20000);

    [Fact]
    public async Task Every_version_inside_a_row_of_many_changes_is_served()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        var ends = await CommitAsync(writer, [0], 60, before: 0);
        Assert.Null(await ReadAsync(volume, 0, writer, ends[0] - 1, CommitLog));
        await CommitsAreAsync(volume, 0, writer, ends);
        Assert.Equal((ends[0], 60), Assert.Single(await RowsAsync(volume, 0, writer, CommitLog)));
    }

    [Fact]
    public async Task A_row_of_many_changes_begins_where_its_page_begins()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        byte[] one = TestRecords.HeapInsert(Key(0), 1, 40), two = TestRecords.HeapInsert(Key(0), 2, 40);
        byte[][] records = [one, two, one, two, TestRecords.FullPage(Key(0), TestRecords.Page(9)), TestRecords.FullPage(Key(0), TestRecords.Page(8))];
        ulong[] ends = new ulong[records.Length];
        for (int i = 0; i < records.Length; i++)
        {
            await writer.SendAsync(0, writer.Frame(records[i], (ulong)((records[i].Length + 7) & ~7)));
            ends[i] = writer.End;
        }

        await DurableAsync(writer, [0]);
        byte[] first = (await ReadAsync(volume, 0, writer, ends[1], Key(0)))!;
        Assert.Equal(first[8..], (await ReadAsync(volume, 0, writer, ends[3], Key(0)))![8..]);
        Assert.Equal(9, (await ReadAsync(volume, 0, writer, ends[4], Key(0)))![100]);
        Assert.Equal(8, (await ReadAsync(volume, 0, writer, ends[5], Key(0)))![100]);
        Assert.Equal([(ends[0], 2), (ends[2], 2), (ends[4], 1), (ends[5], 1)], await RowsAsync(volume, 0, writer, Key(0)));
    }

    [Fact]
    public async Task A_row_of_many_changes_ends_where_its_page_is_cut_off()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        const uint XidsPerPage = 32_768;
        byte[][] records = [TestRecords.Commit(1000), TestRecords.Commit(70 * XidsPerPage), TestRecords.TruncateCommitLog(65), TestRecords.Commit(1001)];
        ulong[] ends = new ulong[records.Length];
        for (int i = 0; i < records.Length; i++)
        {
            await writer.SendAsync(0, writer.Frame(records[i], (ulong)((records[i].Length + 7) & ~7)));
            ends[i] = writer.End;
        }

        await DurableAsync(writer, [0]);
        Assert.NotNull(await ReadAsync(volume, 0, writer, ends[1], CommitLog));
        Assert.Null(await ReadAsync(volume, 0, writer, ends[2], CommitLog));
        Assert.Equal([(ends[0], 1), (ends[3], 1)], await RowsAsync(volume, 0, writer, CommitLog));
        byte[] expected = new byte[PageRedo.PageSize];
        expected[1001 / 4] = 1 << (1001 % 4 * 2);
        Assert.Equal(expected, await ReadAsync(volume, 0, writer, writer.End, CommitLog));
        await writer.HeartbeatAsync(0, writer.End);
        await TestVolume.Until(() => Task.FromResult(volume.Server(0).Host.Segments[0].Metrics.RowsCollected > 1), "the first row and the cut go");
        Assert.Equal(expected, await ReadAsync(volume, 0, writer, writer.End, CommitLog));
    }

    [Fact]
    public async Task Truncating_a_heap_makes_no_map_that_was_not_there()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        await AppendAsync(writer, [0], TestRecords.FullPage(Key(9), TestRecords.Page(1)));
        await AppendAsync(writer, [0], TestRecords.Truncate(Table, 5));
        var map = new PageKey(Table, Fork.VisibilityMap, 0);
        Assert.Null(await ReadAsync(volume, 0, writer, writer.End, map));
        await AppendAsync(writer, [0], TestRecords.FullPage(map, TestRecords.Page(255)));
        await AppendAsync(writer, [0], TestRecords.Truncate(Table, 4));
        byte[] page = (await ReadAsync(volume, 0, writer, writer.End, map))!;
        Assert.Equal(0xFF, page[24]);
        Assert.Equal(0, page[25]);
    }

    [Fact]
    public async Task A_horizon_inside_a_row_of_many_changes_removes_only_rows_wholly_below_it()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        var ends = await CommitAsync(writer, [0], 60, before: 0);
        Assert.NotNull(await ReadAsync(volume, 0, writer, writer.End, CommitLog));
        ends = [.. ends, .. await CommitAsync(writer, [0], 60, before: 60)];
        Assert.NotNull(await ReadAsync(volume, 0, writer, writer.End, CommitLog));
        Assert.Equal([(ends[0], 60), (ends[60], 60)], await RowsAsync(volume, 0, writer, CommitLog));

        await writer.HeartbeatAsync(0, ends[80]);
        (ulong, int)[] expected = [(ends[59], 0), (ends[60], 60)];
        await TestVolume.Until(async () => expected.SequenceEqual(await RowsAsync(volume, 0, writer, CommitLog)), "the first row becomes an image");
        await CommitsAreAsync(volume, 0, writer, ends, from: 80);
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        await CommitsAreAsync(volume, 0, writer, ends, from: 80);
    }

    [Fact]
    public async Task A_row_of_many_changes_in_a_blob_file_is_collected_for_what_it_is()
    {
        const int Many = 400;
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        var ends = await CommitAsync(writer, [0], 60, before: 0);
        Assert.NotNull(await ReadAsync(volume, 0, writer, writer.End, CommitLog));
        ends = [.. ends, .. await CommitAsync(writer, [0], Many, before: 60)];
        Assert.NotNull(await ReadAsync(volume, 0, writer, writer.End, CommitLog));
        Assert.Equal([(ends[0], 60), (ends[60], Many)], await RowsAsync(volume, 0, writer, CommitLog));
        volume.Server(0).Host.Segments[0].FlushNow();
        Assert.NotEmpty(Directory.GetFiles(volume.DataDir(0), "*.blob", SearchOption.AllDirectories));

        await writer.HeartbeatAsync(0, ends[250]);
        (ulong, int)[] expected = [(ends[59], 0), (ends[60], Many)];
        await TestVolume.Until(async () => expected.SequenceEqual(await RowsAsync(volume, 0, writer, CommitLog)), "the first row becomes an image");
        await CommitsAreAsync(volume, 0, writer, ends, from: 250);
    }

    [Fact]
    public async Task Collecting_keeps_up_with_what_is_written()
    {
        const int Records = 20_000;
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        for (int i = 0; i < Records; i++)
        {
            // The first tuple of a page starts a row of its own.
            byte[] record = TestRecords.HeapInsert(Key((uint)i % 10), 1, 40);
            await writer.SendAsync(0, writer.Frame(record, (ulong)((record.Length + 7) & ~7)));
        }

        await DurableAsync(writer, [0]);
        Assert.NotNull(await ReadAsync(volume, 0, writer, writer.End, Key(0)));
        var segment = volume.Server(0).Host.Segments[0];
        Assert.Equal(0, segment.Metrics.RowsCollected);
        await writer.HeartbeatAsync(0, writer.End);
        await TestVolume.Until(
            async () => await Record.ExceptionAsync(() => ReadAsync(volume, 0, writer, writer.End - 8, Key(0))) is RpcException { StatusCode: StatusCode.OutOfRange },
            "the horizon moves");
        segment.Upkeep();
        Assert.InRange(segment.Metrics.RowsCollected, Records - 100, Records);
        Assert.NotNull(await ReadAsync(volume, 0, writer, writer.End, Key(0)));
    }

    [Fact]
    public async Task A_damaged_row_of_many_changes_is_repaired_for_reads_in_its_middle_and_after_it()
    {
        await using var volume = await TestVolume.StartAsync(3);
        await using var writer = await OpenAsync(volume, All);
        var ends = await CommitAsync(writer, All, 60, before: 0);
        byte[] middle = (await ReadAsync(volume, 0, writer, ends[30], CommitLog))!;
        var segment = volume.Server(0).Host.Segments[0];
        segment.SpoilRow(CommitLog, writer.End);
        Assert.Equal(middle, await ReadAsync(volume, 0, writer, ends[30], CommitLog));
        Assert.Equal(1, segment.Metrics.CorruptionRepaired);
        await CommitsAreAsync(volume, 0, writer, ends);
        double found = segment.Metrics.CorruptionFound;
        ends = [.. ends, .. await CommitAsync(writer, All, 60, before: 60)];
        await CommitsAreAsync(volume, 0, writer, ends, from: 59);
        Assert.Equal(found, segment.Metrics.CorruptionFound);
    }

    [Fact]
    public async Task A_copy_of_the_store_has_no_change_above_its_own_end()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using var writer = await OpenAsync(volume, [0]);
        var ends = await CommitAsync(writer, [0], 60, before: 0);
        await ReadAsync(volume, 0, writer, writer.End, CommitLog);
        Assert.Equal([(ends[0], 31)], await RowsAsync(volume, 0, writer, CommitLog, at: ends[30]));
        Assert.Equal([(ends[0], 60)], await RowsAsync(volume, 0, writer, CommitLog, at: ends[59]));
        Assert.Empty(await RowsAsync(volume, 0, writer, CommitLog, at: ends[0] - 1));
    }

    [Fact]
    public async Task A_rebuild_that_is_interrupted_goes_on_after_its_source_went_on_and_collected()
    {
        long rate = 256 << 10;
        await using var volume = await TestVolume.StartAsync(3, change: o => o with
        {
            LogRetentionBytes = 1 << 20,
            LogFileBytes = 1 << 18,
            RebuildBytesPerSecond = o.Index == 2 ? rate : 0,
        });
        await using var writer = await OpenAsync(volume, All);
        await WorkAsync(writer, All, seed: 31, records: 1200);
        await volume.UntilTrimmedAsync(All, writer.End);

        await volume.StopAsync(2);
        volume.Wipe(2);
        await volume.StartAsync(2);
        string copy = Path.Combine(volume.DataDir(2), "group-0", "pages-1");
        await TestVolume.Until(() => Task.FromResult(Directory.Exists(copy)), "the rebuild begins");
        await Task.Delay(TimeSpan.FromSeconds(1));
        Assert.False((await volume.StateAsync(2)).Joined);
        await volume.StopAsync(2);
        Assert.True(Directory.Exists(copy));

        int[] others = [0, 1];
        ushort item = 1;
        for (int round = 0; round < 6; round++)
        {
            await WorkAsync(writer, others, seed: 32 + round, records: 40);
            await InsertAsync();
            await ReadAsync(volume, 0, writer, writer.End, CommitLog);
        }

        ulong horizon = writer.End;
        foreach (int i in others)
        {
            await writer.HeartbeatAsync(i, horizon);
            var metrics = volume.Server(i).Host.Segments[0].Metrics;
            await TestVolume.Until(() => Task.FromResult(metrics.RowsCollected > 0), "rows are collected");
        }

        await InsertAsync();
        rate = 0;
        await volume.StartAsync(2);
        await TestVolume.Until(async () => (await volume.StateAsync(2)) is { Joined: true, State: "complete" } s && s.Scl == writer.End, "rebuilt");
        Assert.Equal(await ChecksumsAsync(volume, 0, writer), await ChecksumsAsync(volume, 2, writer));
        Assert.Equal(await ChecksumsAsync(volume, 0, writer, horizon), await ChecksumsAsync(volume, 2, writer, horizon));

        async Task InsertAsync()
        {
            for (int i = 0; i < 3; i++, item++)
            {
                for (uint block = 0; block < 10; block++)
                {
                    byte[] record = TestRecords.HeapInsert(new PageKey(LastTable, Fork.Main, block), item, 40);
                    await writer.SendAsync(others, writer.Frame(record, (ulong)((record.Length + 7) & ~7)));
                }
            }

            await DurableAsync(writer, others);
        }
    }

    /// <summary>Commits of <see cref="FirstXid"/> + <paramref name="before"/> and following, all durable before the first is applied.</summary>
    /// <returns>Their ends.</returns>
    private static async Task<ulong[]> CommitAsync(TestWriter writer, int[] to, uint count, uint before)
    {
        var ends = new ulong[count];
        for (uint i = 0; i < count; i++)
        {
            byte[] record = TestRecords.Commit(FirstXid + before + i);
            await writer.SendAsync(to, writer.Frame(record, (ulong)((record.Length + 7) & ~7)));
            ends[i] = writer.End;
        }

        await DurableAsync(writer, to);
        return ends;
    }

    private static async Task DurableAsync(TestWriter writer, int[] on)
    {
        await writer.UntilAcked(on, writer.End);
        writer.Vdl = writer.End;
        foreach (int i in on)
        {
            await writer.HeartbeatAsync(i);
        }
    }

    /// <summary>At each end from one on, exactly the transactions up to it are committed.</summary>
    private static async Task CommitsAreAsync(TestVolume volume, int index, TestWriter writer, ulong[] ends, int from = 0)
    {
        for (int i = from; i < ends.Length; i++)
        {
            byte[] page = (await ReadAsync(volume, index, writer, ends[i], CommitLog))!;
            var committed = Enumerable.Range(0, ends.Length).Where(x => ((page[(FirstXid + x) / 4] >> (int)((FirstXid + x) % 4 * 2)) & 3) == 1);
            Assert.Equal(Enumerable.Range(0, i + 1), committed);
        }
    }

    /// <summary>A page's rows as another copy would get them: LSN of the row, changes in it (0: an image).</summary>
    private static async Task<List<(ulong Lsn, int Changes)>> RowsAsync(TestVolume volume, int index, TestWriter writer, PageKey key, ulong at = 0)
    {
        var request = new FetchPagesRequest { Segment = volume.Id(), Epoch = writer.Epoch };
        if (at != 0)
        {
            byte[] token = new byte[12];
            BinaryPrimitives.WriteUInt64LittleEndian(token, at);
            request.After = ByteString.CopyFrom(token);
        }

        var found = new List<(ulong, int)>();
        await foreach (var chunk in volume.Client(index).FetchPages(request).ResponseStream.ReadAllAsync())
        {
            for (var rows = chunk.Entries.Span; rows.Length > 0;)
            {
                int keyLength = BinaryPrimitives.ReadUInt16LittleEndian(rows), valueLength = BinaryPrimitives.ReadInt32LittleEndian(rows[2..]);
                ReadOnlySpan<byte> name = rows.Slice(6, keyLength), value = rows.Slice(6 + keyLength, valueLength);
                if (name[0] == 'P' && PageKey.Read(name[1..]) == key)
                {
                    found.Add((BinaryPrimitives.ReadUInt64BigEndian(name[18..]), value[0] == 3 ? 0 : BinaryPrimitives.ReadInt32LittleEndian(value[9..])));
                }

                rows = rows[(6 + keyLength + valueLength)..];
            }
        }

        return found;
    }
}
