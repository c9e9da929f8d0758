using System.Buffers.Binary;
using CsCheck;
using Redoubt.Wal.Redo;

namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>The page operations against a model: a page is a list of items, and its tuples fill it from the special space down.</summary>
public sealed class BufPageTests
{
    private const int SpecialSize = 16;

    private static BlockChange Change => new()
    {
        Key = new PageKey(new RelFileLocator(1663, 5, 16384), Fork.Main, 7),
        Lsn = new Lsn(0x1000028),
        Rmgr = RmgrId.Btree,
        Info = 0,
    };

    [Fact]
    public void Items_keep_their_bytes_and_order_through_any_operations()
    {
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 10_000], Gen.Int[0, 300], Gen.Byte).Array[1, 120].Sample(steps =>
        {
            var page = new byte[BufPage.Size];
            BufPage.Init(page, SpecialSize);
            var model = new List<byte[]>();
            foreach (var (operation, place, length, fill) in steps)
            {
                Step(page, model, operation, place, length, fill);
                AssertSame(page, model);
            }
        });
    }

    private static void Step(byte[] page, List<byte[]> model, int operation, int place, int length, byte fill)
    {
        byte[] item = Enumerable.Range(0, length + 8).Select(i => (byte)(fill + i)).ToArray();
        switch (operation)
        {
            case 0 or 1 or 2:
                int at = (place % (model.Count + 1)) + 1;
                bool fits = BufPage.FreeSpace(page) >= BufPage.MaxAlign(item.Length) && BufPage.ExactFreeSpace(page) >= 4;
                Assert.Equal(fits ? at : 0, BufPage.TryAddItem(Change, page, item, at));
                if (fits)
                {
                    model.Insert(at - 1, item);
                }

                break;
            case 3 when model.Count > 0:
                int gone = place % model.Count;
                BufPage.IndexTupleDelete(Change, page, gone + 1);
                model.RemoveAt(gone);
                break;
            case 4 when model.Count > 0:
                int replaced = place % model.Count;
                int room = BufPage.MaxAlign(model[replaced].Length) + BufPage.ExactFreeSpace(page);
                bool done = BufPage.IndexTupleOverwrite(Change, page, replaced + 1, item);
                Assert.Equal(BufPage.MaxAlign(item.Length) <= room, done);
                if (done)
                {
                    model[replaced] = item;
                }

                break;
            case 5:
                var random = new Random(place);
                int[] kept = Enumerable.Range(0, model.Count).Where(_ => random.Next(3) > 0).ToArray();
                ushort[] deleted = Enumerable.Range(0, model.Count).Except(kept).Select(i => (ushort)(i + 1)).ToArray();
                byte[] bytes = new byte[deleted.Length * 2];
                Buffer.BlockCopy(deleted, 0, bytes, 0, bytes.Length);
                BufPage.IndexMultiDelete(Change, page, bytes);
                var rest = kept.Select(i => model[i]).ToList();
                model.Clear();
                model.AddRange(rest);
                if (deleted.Length > 2)
                {
                    AssertPackedInOrder(page, model);
                }

                break;
        }
    }

    private static void AssertSame(byte[] page, List<byte[]> model)
    {
        Assert.Equal(model.Count, BufPage.MaxOffset(Change, page));
        for (int i = 0; i < model.Count; i++)
        {
            Assert.Equal(model[i], BufPage.Item(Change, page, i + 1).ToArray());
        }

        int used = model.Sum(item => BufPage.MaxAlign(item.Length));
        Assert.Equal(BufPage.Size - SpecialSize - used, BufPage.GetUpper(page));
        Assert.Equal(BufPage.HeaderSize + (model.Count * 4), BufPage.GetLower(page));
    }

    /// <summary>compactify_tuples leaves tuples in reverse line pointer order.</summary>
    private static void AssertPackedInOrder(byte[] page, List<byte[]> model)
    {
        int at = BufPage.GetSpecial(page);
        for (int i = 0; i < model.Count; i++)
        {
            at -= BufPage.MaxAlign(model[i].Length);
            Assert.Equal(at, BufPage.GetItemId(page, i + 1).Offset);
        }
    }

    [Fact]
    public void Deleting_without_compaction_keeps_the_other_offset_numbers()
    {
        var page = new byte[BufPage.Size];
        BufPage.Init(page, 8);
        for (int i = 1; i <= 4; i++)
        {
            BufPage.AddItem(Change, page, new byte[] { (byte)i, 0, 0, 0, 0, 0, 0, 0, 0, (byte)i }, i);
        }

        BufPage.IndexTupleDeleteNoCompact(Change, page, 2);
        Assert.Equal(4, BufPage.MaxOffset(Change, page));
        Assert.True(BufPage.GetItemId(page, 2).IsUnused);
        Assert.Equal(3, BufPage.Item(Change, page, 3)[9]);
        BufPage.IndexTupleDeleteNoCompact(Change, page, 4);
        Assert.Equal(3, BufPage.MaxOffset(Change, page));
        Assert.Equal(1, BufPage.Item(Change, page, 1)[9]);
        Assert.Equal(BufPage.Size - 8 - 32, BufPage.GetUpper(page));
        Assert.Equal(2, BufPage.AddItem(Change, page, new byte[8], 2, overwrite: true));
    }

    [Fact]
    public void Repairing_a_heap_page_closes_gaps_and_cuts_unused_line_pointers()
    {
        var page = new byte[BufPage.Size];
        BufPage.Init(page, 0);
        for (int i = 1; i <= 6; i++)
        {
            BufPage.AddItem(Change, page, Enumerable.Repeat((byte)i, 20 + i).ToArray(), i, isHeap: true);
        }

        BufPage.SetItemId(page, 1, ItemId.Make(3, ItemId.Redirect, 0));
        BufPage.SetItemId(page, 2, default);
        BufPage.SetItemId(page, 5, ItemId.Make(0, ItemId.Dead, 0));
        BufPage.SetItemId(page, 6, default);
        BufPage.RepairFragmentation(Change, page);

        Assert.Equal(5, BufPage.MaxOffset(Change, page));
        Assert.Equal(BufPage.Size - 24 - 24, BufPage.GetUpper(page));
        Assert.Equal(BufPage.Size - 24, BufPage.GetItemId(page, 3).Offset);
        Assert.All(BufPage.Item(Change, page, 3).ToArray(), b => Assert.Equal(3, b));
        Assert.All(BufPage.Item(Change, page, 4).ToArray(), b => Assert.Equal(4, b));
        Assert.Equal(BufPage.HasFreeLines, BufPage.GetFlags(page));
        Assert.Equal(2, BufPage.AddItem(Change, page, new byte[8], 0, isHeap: true));
    }

    [Fact]
    public void Truncating_line_pointers_leaves_one()
    {
        var page = new byte[BufPage.Size];
        BufPage.Init(page, 0);
        BufPage.SetLower(page, BufPage.HeaderSize + 20);
        BufPage.TruncateLinePointerArray(Change, page);
        Assert.Equal(1, BufPage.MaxOffset(Change, page));
        Assert.Equal(BufPage.HasFreeLines, BufPage.GetFlags(page));
    }

    [Fact]
    public void Line_pointers_are_read_as_PostgreSQL_packs_them()
    {
        var page = new byte[BufPage.Size];
        BufPage.Init(page, 0);
        BufPage.AddItem(Change, page, new byte[100], 1);
        uint raw = BinaryPrimitives.ReadUInt32LittleEndian(page.AsSpan(BufPage.HeaderSize));
        Assert.Equal((8192u - 104) | (1u << 15) | (100u << 17), raw);
    }

    [Theory]
    [InlineData(12, 20)] // pd_lower inside the header
    [InlineData(12, 9000)] // pd_lower past pd_upper
    [InlineData(14, 8190)] // pd_upper past pd_special
    [InlineData(16, 8193)] // pd_special past the page
    [InlineData(16, 8187)] // pd_special not a multiple of 8
    public void A_corrupt_header_is_an_error_that_names_the_record(int field, int value)
    {
        var page = new byte[BufPage.Size];
        BufPage.Init(page, SpecialSize);
        BufPage.AddItem(Change, page, new byte[16], 1);
        BinaryPrimitives.WriteUInt16LittleEndian(page.AsSpan(field), (ushort)value);
        var error = Assert.Throws<RedoException>(() => BufPage.IndexTupleDelete(Change, page, 1));
        Assert.Equal(Change.Lsn, error.Lsn);
        Assert.Contains("0/1000028", error.Message, StringComparison.Ordinal);
        Assert.Throws<RedoException>(() => BufPage.RepairFragmentation(Change, page));
        Assert.Throws<RedoException>(() => BufPage.IndexMultiDelete(Change, page, new byte[] { 1, 0, 2, 0, 3, 0 }));
    }

    [Fact]
    public void A_line_pointer_that_leads_outside_the_tuples_is_an_error()
    {
        var page = new byte[BufPage.Size];
        BufPage.Init(page, SpecialSize);
        BufPage.AddItem(Change, page, new byte[16], 1);
        foreach (ItemId id in (ItemId[])[ItemId.Make(24, 1, 16), ItemId.Make(8168, 1, 17), ItemId.Make(32760, 1, 16), ItemId.Make(8160, 1, 32767)])
        {
            BufPage.SetItemId(page, 1, id);
            Assert.Throws<RedoException>(() => BufPage.Item(Change, page, 1).Length);
            Assert.Throws<RedoException>(() => BufPage.IndexTupleDelete(Change, page, 1));
            Assert.Throws<RedoException>(() => BufPage.RepairFragmentation(Change, page));
        }

        Assert.Throws<RedoException>(() => BufPage.Item(Change, page, 0).Length);
        Assert.Throws<RedoException>(() => BufPage.Item(Change, page, 2).Length);
    }
}
