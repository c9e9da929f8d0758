using System.Runtime.InteropServices;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <content>Free space of heap pages: marked here, found out later by <see cref="FreeSpaceTable"/>.</content>
internal sealed partial class ApplyBatch
{
    /// <remarks>The map's fork grows with the heap, as PostgreSQL's redo makes it grow, so that a data directory is made with a map.</remarks>
    private void MarkSpace(in BlockChange change)
    {
        var effect = HeapSpace.Of(change);
        if (effect == SpaceEffect.None)
        {
            return;
        }

        var key = change.Key;
        var bit = HeapStripe.Bit(key.Block);
        ref var marks = ref CollectionsMarshal.GetValueRefOrAddDefault(_marks, HeapStripe.Of(key), out _);
        marks |= new StaleBlocks(bit, effect == SpaceEffect.Freed ? bit : 0);
        Grow(new PageKey(key.Rel, Fork.FreeSpaceMap, FreeSpaceMap.BlocksFor(key.Block) - 1));
    }

    private void CopyFreeSpace(uint dbOid, uint spcOid, uint sourceDbOid, uint sourceSpcOid)
    {
        Span<byte> row = stackalloc byte[StoreKeys.StripeLength];
        foreach (byte kind in (ReadOnlySpan<byte>)[StoreKeys.FreeSpaceStale, StoreKeys.FreeSpace])
        {
            byte[] prefix = [kind, .. StoreKeys.Numbers(sourceSpcOid, sourceDbOid)];
            using var scan = _store.NewIterator(scan: true);
            for (scan.Seek(prefix); scan.Valid() && scan.GetKeySpan().StartsWith(prefix); scan.Next())
            {
                var source = StoreKeys.ReadStripe(scan.GetKeySpan());
                var target = source with { Rel = new RelFileLocator(spcOid, dbOid, source.Rel.RelNumber) };
                if (kind == StoreKeys.FreeSpaceStale)
                {
                    _marks[target] = StaleBlocks.All;
                }
                else
                {
                    StoreKeys.WriteStripe(row, StoreKeys.FreeSpace, target);
                    Put(row, scan.GetValueSpan());
                }
            }

            PageStore.Check(scan);
        }
    }
}
