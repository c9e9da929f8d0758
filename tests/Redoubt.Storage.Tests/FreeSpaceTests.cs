using Google.Protobuf;
using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Pages;
using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

/// <summary>Room on heap pages, as storage finds it out for free-space maps.</summary>
public sealed class FreeSpaceTests
{
    private const uint EndOfFirstLeaf = FreeSpaceMap.SlotsPerPage;
    private static readonly RelFileLocator Table = new(1663, 5, 16384);
    private static readonly int[] All = [0, 1, 2];
    private static readonly uint[] Blocks = [0, 1, 2, 127, 128, 200, EndOfFirstLeaf - 1, EndOfFirstLeaf, EndOfFirstLeaf + 300];

    [Fact]
    public async Task Categories_are_those_of_the_pages_whenever_they_are_asked_for()
    {
        await using var volume = await TestVolume.StartAsync(1, change: OnlyWhenAsked);
        await using var writer = await OpenAsync(volume, [0]);
        var heap = new Heap(writer, [0], seed: 31);
        for (int round = 0; round < 5; round++)
        {
            await heap.WorkAsync(100);
            await CheckAsync(volume, 0, writer);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_restart_forgets_no_change(bool askedBefore)
    {
        await using var volume = await TestVolume.StartAsync(1, change: OnlyWhenAsked);
        await using var writer = await OpenAsync(volume, [0]);
        var heap = new Heap(writer, [0], seed: 32);
        await heap.WorkAsync(200);
        if (askedBefore)
        {
            await CheckAsync(volume, 0, writer);
            await heap.WorkAsync(100);
            await SlotsAsync(volume, 0, writer, level: 2, 0);
        }

        await volume.StopAsync(0);
        await volume.StartAsync(0);

        // Which blocks are stale is not known any more: above the leaves there may be room anywhere.
        Assert.Equal(255, (await SlotsAsync(volume, 0, writer, level: 1, 0)).Categories[0]);
        await CheckAsync(volume, 0, writer);
        await volume.StopAsync(0);
        await volume.StartAsync(0);
        Assert.InRange((await SlotsAsync(volume, 0, writer, level: 1, 0)).Categories[0], 1, 254);
        await CheckAsync(volume, 0, writer);
    }

    [Fact]
    public async Task A_copy_rebuilt_from_a_peer_knows_what_the_peer_knew()
    {
        await using var volume = await TestVolume.StartAsync(3, change: o => OnlyWhenAsked(o) with { LogRetentionBytes = 1 << 18, LogFileBytes = 1 << 18 });
        await using var writer = await OpenAsync(volume, All);
        var heap = new Heap(writer, All, seed: 33);
        await heap.WorkAsync(300);
        await CheckAsync(volume, 0, writer);
        for (uint i = 0; i < 150; i++)
        {
            await heap.SendAsync(TestRecords.FullPage(new PageKey(Table with { RelNumber = 77 }, Fork.Main, i % 10), TestRecords.Page((byte)i)));
        }

        await heap.WorkAsync(50);
        await volume.UntilTrimmedAsync(All, writer.End);

        await volume.StopAsync(2);
        volume.Wipe(2);
        await volume.StartAsync(2);
        await TestVolume.Until(async () => (await volume.StateAsync(2)) is { Joined: true, State: "complete" } s && s.Scl == writer.End, "rebuilt");
        await CheckAsync(volume, 2, writer);
    }

    [Fact]
    public async Task Above_the_leaves_freed_blocks_count_as_empty_until_they_are_looked_at()
    {
        await using var volume = await TestVolume.StartAsync(1, change: OnlyWhenAsked);
        await using var writer = await OpenAsync(volume, [0]);
        var heap = new Heap(writer, [0], seed: 34);
        uint second = EndOfFirstLeaf + 5;
        foreach (uint block in (uint[])[3, second])
        {
            for (ushort item = 1; item <= 7; item++)
            {
                await heap.SendAsync(TestRecords.HeapInsert(Key(block), item, 1100));
            }
        }

        await heap.FinishAsync();
        await SlotsAsync(volume, 0, writer, level: 0, 0);
        await SlotsAsync(volume, 0, writer, level: 0, EndOfFirstLeaf);
        byte full = FreeSpaceMap.Category(PageRedo.PageSize - 24 - (7 * (1104 + 4)) - 4);
        Assert.Equal([full, full, 0], (await SlotsAsync(volume, 0, writer, level: 1, 0)).Categories.Span[..3].ToArray());

        await heap.SendAsync(TestRecords.HeapPrune(Key(second), 2, 3));
        await heap.FinishAsync();
        Assert.Equal([full, 255, 0], (await SlotsAsync(volume, 0, writer, level: 1, 0)).Categories.Span[..3].ToArray());
        Assert.Equal([255, 0], (await SlotsAsync(volume, 0, writer, level: 2, 0)).Categories.Span[..2].ToArray());
        await SlotsAsync(volume, 0, writer, level: 0, EndOfFirstLeaf);
        byte room = FreeSpaceMap.Category(PageRedo.PageSize - 24 - (5 * 1104) - (7 * 4) - 4);
        Assert.Equal([full, room, 0], (await SlotsAsync(volume, 0, writer, level: 1, 0)).Categories.Span[..3].ToArray());
        Assert.Equal([room, 0], (await SlotsAsync(volume, 0, writer, level: 2, 0)).Categories.Span[..2].ToArray());
    }

    [Fact]
    public async Task What_is_stale_is_looked_at_in_the_background()
    {
        await using var volume = await TestVolume.StartAsync(1, change: o => o with { FreeSpacePagesPerSecond = 1 << 20, FreeSpaceEvery = TimeSpan.FromMilliseconds(100) });
        await using var writer = await OpenAsync(volume, [0]);
        var heap = new Heap(writer, [0], seed: 35);
        foreach (uint block in Blocks)
        {
            for (ushort item = 1; item <= 3; item++)
            {
                await heap.SendAsync(TestRecords.HeapInsert(Key(block), item, 2000));
            }

            await heap.SendAsync(TestRecords.HeapPrune(Key(block), 2));
        }

        await heap.FinishAsync();
        byte room = FreeSpaceMap.Category(PageRedo.PageSize - 24 - (2 * 2000) - (3 * 4) - 4);
        await TestVolume.Until(
            async () => (await SlotsAsync(volume, 0, writer, level: 1, 0)).Categories.Span.StartsWith((ReadOnlySpan<byte>)[room, room, 0]), "nobody asked for the leaves");
    }

    [Fact]
    public async Task Cut_off_blocks_have_no_room_and_their_rows_go()
    {
        await using var volume = await TestVolume.StartAsync(1, change: OnlyWhenAsked);
        await using var writer = await OpenAsync(volume, [0]);
        var heap = new Heap(writer, [0], seed: 36);
        await heap.WorkAsync(200);
        await CheckAsync(volume, 0, writer);
        Assert.Equal(FreeSpaceMap.BlocksFor(Blocks[^1]), await MapBlocksAsync(volume, writer));
        await heap.SendAsync(TestRecords.Truncate(Table, 128));
        await heap.FinishAsync();
        await CheckAsync(volume, 0, writer);
        Assert.DoesNotContain((byte)1, (await SlotsAsync(volume, 0, writer, level: 0, 0)).Known.Span[128..].ToArray());
        Assert.Equal(0, (await SlotsAsync(volume, 0, writer, level: 1, 0)).Categories[1]);
        Assert.Equal(FreeSpaceMap.BlocksFor(0), await MapBlocksAsync(volume, writer));

        // Rows beyond the cut make the second leaf known until the collector has been there.
        Assert.NotEmpty((await SlotsAsync(volume, 0, writer, level: 1, 1)).Categories);
        await writer.HeartbeatAsync(0, writer.End);
        await TestVolume.Until(async () => (await SlotsAsync(volume, 0, writer, level: 1, 1)).Categories.IsEmpty, "rows beyond the cut go");
        await CheckAsync(volume, 0, writer);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    public void Rows_of_a_heap_that_grows_between_passes_stay(int rowsPerSlice)
    {
        string folder = Directory.CreateTempSubdirectory("redoubt-collect-").FullName;
        try
        {
            using var cache = new RocksCache(1 << 20);
            using var store = PageStore.Open(folder, cache, 4 << 20);
            var collector = new Collector();
            Span<byte> size = stackalloc byte[StoreKeys.ForkLength];
            Span<byte> stripe = stackalloc byte[StoreKeys.StripeLength];
            for (uint stripes = 1; stripes <= 3; stripes++)
            {
                StoreKeys.WriteFork(size, StoreKeys.ForkSize, Table, (byte)Fork.Main, stripes * 10);
                store.Put(size, BitConverter.GetBytes(stripes * HeapStripe.Blocks));
                StoreKeys.WriteStripe(stripe, StoreKeys.FreeSpace, new HeapStripe(Table, stripes - 1));
                store.Put(stripe, new FreeSpaceRow().Bytes);
                StoreKeys.WriteStripe(stripe, StoreKeys.FreeSpaceStale, new HeapStripe(Table, stripes));
                store.Put(stripe, [1]);

                // One pass in slices: sizes that are superseded go, and stripes beyond the end.
                for (int slice = 0; slice < 20; slice++)
                {
                    collector.Slice(store, PgVersion.Pg17, (stripes * 10) + 1, rowsPerSlice);
                }

                for (uint n = 0; n < 4; n++)
                {
                    StoreKeys.WriteStripe(stripe, StoreKeys.FreeSpace, new HeapStripe(Table, n));
                    Assert.Equal(n < stripes, store.Get(stripe.ToArray()) is not null);
                    StoreKeys.WriteStripe(stripe, StoreKeys.FreeSpaceStale, new HeapStripe(Table, n));
                    Assert.Null(store.Get(stripe.ToArray()));
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task A_copied_database_has_the_same_room()
    {
        await using var volume = await TestVolume.StartAsync(1, change: OnlyWhenAsked);
        await using var writer = await OpenAsync(volume, [0]);
        var heap = new Heap(writer, [0], seed: 37);
        await heap.WorkAsync(200);
        await CheckAsync(volume, 0, writer);
        await heap.WorkAsync(50);
        await heap.SendAsync(TestRecords.CopyDatabase(database: 6, source: Table.DbOid));
        await heap.FinishAsync();
        await CheckAsync(volume, 0, writer);
        await CheckAsync(volume, 0, writer, Table with { DbOid = 6 });
    }

    [Fact]
    public async Task A_page_that_is_no_heap_page_is_not_known()
    {
        await using var volume = await TestVolume.StartAsync(1, change: OnlyWhenAsked);
        await using var writer = await OpenAsync(volume, [0]);
        var heap = new Heap(writer, [0], seed: 38);
        await heap.SendAsync(TestRecords.FullPage(Key(3), TestRecords.Page(1)));
        await heap.FinishAsync();
        for (uint level = 0; level < 3; level++)
        {
            Assert.True((await SlotsAsync(volume, 0, writer, level, 0)).Categories.IsEmpty);
        }

        var wrong = await Assert.ThrowsAsync<RpcException>(() => SlotsAsync(volume, 0, writer, level: 3, 0));
        Assert.Equal(StatusCode.InvalidArgument, wrong.StatusCode);
    }

    private static StorageOptions OnlyWhenAsked(StorageOptions options) => options with { FreeSpacePagesPerSecond = 0 };

    private static PageKey Key(uint block) => new(Table, Fork.Main, block);

    private static async Task<TestWriter> OpenAsync(TestVolume volume, int[] on)
    {
        var writer = new TestWriter(volume, 1);
        await writer.OpenAsync(on);
        return writer;
    }

    private static async Task<GetFreeSpaceReply> SlotsAsync(TestVolume volume, int index, TestWriter writer, uint level, uint first, RelFileLocator? rel = null)
    {
        await writer.TellDurableAsync(index, writer.End);
        return await volume.Client(index).GetFreeSpaceAsync(new GetFreeSpaceRequest
        {
            Segment = volume.Id(),
            Epoch = writer.Epoch,
            ReadPoint = writer.End,
            CompleteAt = writer.End,
            Spc = Table.SpcOid,
            Db = (rel ?? Table).DbOid,
            Rel = Table.RelNumber,
            Level = level,
            First = first,
            Count = FreeSpaceMap.SlotsPerPage,
        });
    }

    /// <summary>Every block's category is that of the page that the segment serves; the levels above are the maxima.</summary>
    private static async Task CheckAsync(TestVolume volume, int index, TestWriter writer, RelFileLocator? rel = null)
    {
        byte[] keys = [.. Blocks.SelectMany(block =>
        {
            byte[] key = new byte[PageKey.EncodedLength];
            new PageKey(rel ?? Table, Fork.Main, block).Write(key);
            return key;
        })];
        await writer.TellDurableAsync(index, writer.End);
        var pages = await volume.Client(index).GetPagesAsync(new GetPagesRequest
        {
            Segment = volume.Id(),
            Epoch = writer.Epoch,
            ReadPoint = writer.End,
            CompleteAt = writer.End,
            Keys = ByteString.CopyFrom(keys),
        });
        byte[] expected = new byte[2 * FreeSpaceMap.SlotsPerPage];
        byte[] exists = new byte[expected.Length];
        for (int i = 0; i < Blocks.Length; i++)
        {
            var page = pages.Pages.Span[(i * PageRedo.PageSize)..];
            exists[Blocks[i]] = pages.Found[i];
            int room = BitConverter.ToUInt16(page[14..]) - BitConverter.ToUInt16(page[12..]) - 4;
            expected[Blocks[i]] = pages.Found[i] == 0 ? (byte)0 : (byte)Math.Min(254, Math.Max(0, room) / 32);
        }

        Assert.Contains((byte)1, exists);
        for (uint leaf = 0; leaf < 2; leaf++)
        {
            int first = (int)leaf * FreeSpaceMap.SlotsPerPage;
            var reply = await SlotsAsync(volume, index, writer, level: 0, (uint)first, rel);
            byte[] known = reply.Known.IsEmpty ? new byte[FreeSpaceMap.SlotsPerPage] : reply.Known.ToByteArray();
            byte[] slots = reply.Categories.IsEmpty ? new byte[FreeSpaceMap.SlotsPerPage] : reply.Categories.ToByteArray();
            Assert.Equal(exists[first..(first + FreeSpaceMap.SlotsPerPage)], known);
            Assert.Equal(expected[first..(first + FreeSpaceMap.SlotsPerPage)], slots);
            Assert.Equal(slots.Max(), (await SlotsAsync(volume, index, writer, level: 1, 0, rel)).Categories[(int)leaf]);
        }

        Assert.Equal(expected.Max(), (await SlotsAsync(volume, index, writer, level: 2, 0, rel)).Categories[0]);
    }

    private static async Task<uint> MapBlocksAsync(TestVolume volume, TestWriter writer)
    {
        var request = new GetBootstrapRequest { Segment = volume.Id(), Epoch = writer.Epoch, ReadPoint = writer.End, CompleteAt = writer.End };
        var chunks = await volume.Client(0).GetBootstrap(request).ResponseStream.ReadAllAsync().ToListAsync();
        return chunks.SelectMany(c => c.Forks).Single(f => f.Rel == Table.RelNumber && f.Fork == (uint)Fork.FreeSpaceMap).Blocks;
    }

    /// <summary>Random inserts and prunes that pages can take.</summary>
    private sealed class Heap(TestWriter writer, int[] to, int seed)
    {
        private readonly Random _random = new(seed);
        private readonly Dictionary<uint, List<int>> _items = [];

        public async Task SendAsync(byte[] record) => await writer.SendAsync(to, writer.Frame(record, (ulong)((record.Length + 7) & ~7)));

        public async Task WorkAsync(int records)
        {
            for (int i = 0; i < records; i++)
            {
                uint block = Blocks[_random.Next(Blocks.Length)];
                if (!_items.TryGetValue(block, out var items))
                {
                    _items.Add(block, items = []);
                }

                int length = _random.Next(24, 600);
                ushort[] filled = [.. Enumerable.Range(1, items.Count).Where(n => items[n - 1] > 0).Select(n => (ushort)n)];
                bool fits = items.Sum() + ((length + 7) & ~7) + (4 * (items.Count + 1)) < PageRedo.PageSize - 24;
                if (items.Count > 2 && filled.Length > 2 && (!fits || _random.Next(4) == 0))
                {
                    ushort[] unused = [.. filled[..^1].Where(_ => _random.Next(2) == 0)];
                    unused = unused.Length == 0 ? [filled[0]] : unused;
                    Array.ForEach(unused, n => items[n - 1] = 0);
                    await SendAsync(TestRecords.HeapPrune(Key(block), unused));
                }
                else if (fits)
                {
                    items.Add((length + 7) & ~7);
                    await SendAsync(TestRecords.HeapInsert(Key(block), (ushort)items.Count, length));
                }
            }

            await FinishAsync();
        }

        public async Task FinishAsync()
        {
            await writer.UntilAcked(to, writer.End);
            writer.Vdl = writer.End;
            foreach (int i in to)
            {
                await writer.HeartbeatAsync(i);
            }
        }
    }
}
