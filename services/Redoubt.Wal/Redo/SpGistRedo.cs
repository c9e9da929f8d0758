namespace Redoubt.Wal.Redo;

/// <summary>
/// Redo of SP-GiST records (<c>RM_SPGIST_ID</c>; access/spgxlog.h, spgist/spgxlog.c), one page of a record at a time.
/// The same in 17 and 18. All tuples are in the main data, so each page picks its own.
/// </summary>
internal static partial class SpGistRedo
{
    private const byte AddLeaf = 0x10;
    private const byte MoveLeafs = 0x20;
    private const byte AddNode = 0x30;
    private const byte SplitTuple = 0x40;
    private const byte PickSplit = 0x50;
    private const byte VacuumLeaf = 0x60;
    private const byte VacuumRoot = 0x70;
    private const byte VacuumRedirect = 0x80;

    private const uint InvalidBlock = 0xFFFFFFFF;

    /// <summary>Applies one page's part of an SP-GiST record and stamps the page with the record's LSN.</summary>
    /// <exception cref="RedoException">The page or the record is not what redo requires.</exception>
    internal static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        var main = new RedoCursor(change.MainData);
        switch (change.Info, change.BlockId)
        {
            case (AddLeaf, <= 1):
                ApplyAddLeaf(change, page, main);
                break;
            case (MoveLeafs, <= 2):
                ApplyMoveLeafs(change, page, main);
                break;
            case (AddNode, <= 2):
                ApplyAddNode(change, page, main);
                break;
            case (SplitTuple, <= 1):
                ApplySplitTuple(change, page, main);
                break;
            case (PickSplit, <= 3):
                ApplyPickSplit(change, page, main);
                break;
            case (VacuumLeaf, 0):
                ApplyVacuumLeaf(change, page, main);
                break;
            case (VacuumRoot, 0):
                int count = main.UInt16(change);
                main.Take(change, 10);
                BufPage.IndexMultiDelete(change, page, main.Take(change, count * 2));
                break;
            case (VacuumRedirect, 0):
                ApplyVacuumRedirect(change, page, main);
                break;
            default:
                BufPage.Fail(change, $"no SP-GiST record of this kind has a block reference {change.BlockId}");
                break;
        }

        BufPage.SetLsn(page, change.Lsn);
    }

    /// <summary><c>spgxlogState</c>: the xid that redirects get, and whether an index build writes.</summary>
    private readonly struct State
    {
        public State(in BlockChange change, ref RedoCursor main)
        {
            RedirectXid = main.UInt32(change);
            IsBuild = main.Take(change, 4)[0] != 0;
        }

        public uint RedirectXid { get; }

        public bool IsBuild { get; }

        /// <summary>What takes the place of a tuple that scans may still be on their way to.</summary>
        public int FirstState => IsBuild ? SpGistTuple.Placeholder : SpGistTuple.Redirect;
    }

    private static int LeafFlags(bool nulls) => nulls ? SpGistPage.Leaf | SpGistPage.Nulls : SpGistPage.Leaf;

    private static bool Bool(in BlockChange change, ref RedoCursor main) => main.Byte(change) != 0;

    /// <summary><c>spgxlogAddLeaf</c>: newPage, storesNulls, offnumLeaf, offnumHeadLeaf, offnumParent, nodeI, leaf tuple.</summary>
    private static void ApplyAddLeaf(in BlockChange change, Span<byte> page, RedoCursor main)
    {
        bool newPage = Bool(change, ref main);
        bool nulls = Bool(change, ref main);
        int leaf = main.UInt16(change);
        int head = main.UInt16(change);
        int parent = main.UInt16(change);
        int node = main.UInt16(change);
        if (change.BlockId == 1)
        {
            SpGistPage.UpdateNodeLink(change, page, parent, node, References.Get(change, 0), leaf);
            return;
        }

        ReadOnlySpan<byte> tuple = SpGistTuple.TakeLeaf(change, ref main);
        if (newPage)
        {
            SpGistPage.Init(page, LeafFlags(nulls));
        }

        if (leaf == head)
        {
            // The chain's head was a dead tuple.
            SpGistPage.Replace(change, page, tuple, leaf);
            return;
        }

        SpGistPage.AddOrReplace(change, page, tuple, leaf);
        if (head != 0)
        {
            SetNextOffset(change, page, head, leaf);
        }
    }

    /// <summary><c>spgxlogMoveLeafs</c>: nMoves, newPage, replaceDead, storesNulls, padding, offnumParent, nodeI, padding, state,
    /// offsets deleted, offsets inserted, leaf tuples. Block 0 is the source, 1 the destination, 2 the parent.</summary>
    private static void ApplyMoveLeafs(in BlockChange change, Span<byte> page, RedoCursor main)
    {
        int moves = main.UInt16(change);
        bool newPage = Bool(change, ref main);
        bool replaceDead = Bool(change, ref main);
        bool nulls = main.Take(change, 2)[0] != 0;
        int parent = main.UInt16(change);
        int node = main.UInt16(change);
        main.Take(change, 2);
        var state = new State(change, ref main);
        int inserts = replaceDead ? 1 : moves + 1;
        ReadOnlySpan<byte> deleted = main.Take(change, moves * 2);
        ReadOnlySpan<byte> inserted = main.Take(change, inserts * 2);
        int last = new RedoCursor(inserted[^2..]).UInt16(change);
        switch (change.BlockId)
        {
            case 0:
                SpGistPage.MultiDelete(
                    change,
                    page,
                    deleted,
                    state.FirstState,
                    SpGistTuple.Placeholder,
                    References.Get(change, 1),
                    last,
                    state.RedirectXid);
                break;
            case 1:
                if (newPage)
                {
                    SpGistPage.Init(page, LeafFlags(nulls));
                }

                var offsets = new RedoCursor(inserted);
                while (!offsets.IsEmpty)
                {
                    SpGistPage.AddOrReplace(change, page, SpGistTuple.TakeLeaf(change, ref main), offsets.UInt16(change));
                }

                break;
            default:
                SpGistPage.UpdateNodeLink(change, page, parent, node, References.Get(change, 1), last);
                break;
        }
    }

    /// <summary><c>spgxlogAddNode</c>: offnum, offnumNew, newPage, parentBlk, offnumParent, nodeI, padding, state, inner tuple.
    /// The tuple grows in place, or moves from block 0 to block 1, and the page that <c>parentBlk</c> names has its parent.</summary>
    private static void ApplyAddNode(in BlockChange change, Span<byte> page, RedoCursor main)
    {
        int old = main.UInt16(change);
        int moved = main.UInt16(change);
        bool newPage = Bool(change, ref main);
        int parentBlock = (sbyte)main.Byte(change);
        int parent = main.UInt16(change);
        int node = main.UInt16(change);
        main.Take(change, 2);
        var state = new State(change, ref main);
        ReadOnlySpan<byte> tuple = SpGistTuple.TakeInner(change, ref main);
        if (!References.TryGet(change, 1, out uint target))
        {
            SpGistPage.Replace(change, page, tuple, old);
            return;
        }

        switch (change.BlockId)
        {
            case 0:
                Span<byte> dead = stackalloc byte[SpGistTuple.DeadSize];
                SpGistTuple.FormDead(dead, state.FirstState, target, moved, state.RedirectXid);
                SpGistPage.Replace(change, page, dead, old);
                SpGistPage.Count(change, page, state.IsBuild ? 0 : 1, state.IsBuild ? 1 : 0);
                break;
            case 1:
                if (newPage)
                {
                    SpGistPage.Init(page, 0);
                }

                SpGistPage.AddOrReplace(change, page, tuple, moved);
                break;
        }

        if (parentBlock == change.BlockId)
        {
            SpGistPage.UpdateNodeLink(change, page, parent, node, target, moved);
        }
    }

    /// <summary><c>spgxlogSplitTuple</c>: offnumPrefix, offnumPostfix, newPage, postfixBlkSame, prefix tuple, postfix tuple.</summary>
    private static void ApplySplitTuple(in BlockChange change, Span<byte> page, RedoCursor main)
    {
        int prefixOffset = main.UInt16(change);
        int postfixOffset = main.UInt16(change);
        bool newPage = Bool(change, ref main);
        bool samePage = Bool(change, ref main);
        ReadOnlySpan<byte> prefix = SpGistTuple.TakeInner(change, ref main);
        ReadOnlySpan<byte> postfix = SpGistTuple.TakeInner(change, ref main);
        if (change.BlockId == 0)
        {
            SpGistPage.Replace(change, page, prefix, prefixOffset);
        }
        else if (newPage)
        {
            SpGistPage.Init(page, 0);
        }

        if (change.BlockId == 1 || samePage)
        {
            SpGistPage.AddOrReplace(change, page, postfix, postfixOffset);
        }
    }

    private static void SetNextOffset(in BlockChange change, Span<byte> page, int offset, int next)
    {
        Span<byte> leaf = BufPage.Item(change, page, offset);
        if (leaf.Length < SpGistTuple.LeafHeaderSize)
        {
            BufPage.Fail(change, $"leaf tuple {offset} of {leaf.Length} bytes");
        }

        SpGistTuple.SetNextOffset(leaf, next);
    }
}
