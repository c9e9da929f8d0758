using CsCheck;
using Google.Protobuf;
using Redoubt.Compute.Pages;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

/// <summary>Pages of free-space maps, made of what storage has of them and what the groups know.</summary>
public sealed class FreeSpaceSourceTests
{
    private static readonly Gen<byte[]> Slots = Gen.Byte.Array[FreeSpaceMap.SlotsPerPage];

    [Fact]
    public void A_leaf_takes_each_block_from_the_group_that_knows_it_and_the_rest_as_stored() =>
        Gen.Select(Slots, Slots, Slots, Gen.Int[0, 2].Array[FreeSpaceMap.SlotsPerPage]).Sample((stored, a, b, who) =>
        {
            byte[] page = new byte[PageRedo.PageSize];
            FreeSpaceMap.BuildPage(stored, page);
            FreeSpaceSource.Merge(0, [Reply(a, who.Select(w => w == 1)), new GetFreeSpaceReply(), Reply(b, who.Select(w => w == 2))], page);
            byte[] expected = [.. who.Select((w, i) => w switch { 1 => a[i], 2 => b[i], _ => stored[i] })];
            Assert.Equal(Built(expected), page);
        }, iter: 50);

    [Fact]
    public void Above_the_leaves_a_slot_is_the_most_that_anyone_promises() => Gen.Select(Slots, Slots, Slots).Sample((stored, a, b) =>
    {
        byte[] page = new byte[PageRedo.PageSize];
        FreeSpaceMap.BuildPage(stored, page);
        FreeSpaceSource.Merge(1, [Reply(a, []), Reply(b, [])], page);
        Assert.Equal(Built([.. stored.Select((s, i) => Math.Max(s, Math.Max(a[i], b[i])))]), page);
    }, iter: 50);

    [Fact]
    public void A_map_that_no_group_knows_anything_of_stays_as_stored()
    {
        byte[] page = new byte[PageRedo.PageSize];
        Random.Shared.NextBytes(page);
        byte[] before = [.. page];
        FreeSpaceSource.Merge(0, [new GetFreeSpaceReply(), new GetFreeSpaceReply()], page);
        Assert.Equal(before, page);
    }

    private static byte[] Built(byte[] slots)
    {
        byte[] page = new byte[PageRedo.PageSize];
        FreeSpaceMap.BuildPage(slots, page);
        return page;
    }

    private static GetFreeSpaceReply Reply(byte[] categories, IEnumerable<bool> known) => new()
    {
        Categories = ByteString.CopyFrom(categories),
        Known = ByteString.CopyFrom([.. known.Select(k => k ? (byte)1 : (byte)0)]),
    };
}
