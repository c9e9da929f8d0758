using Redoubt.Wal.Redo;

namespace Redoubt.Wal.Tests.IndexAccess;

/// <summary>Redo of the index resource managers by id.</summary>
internal static class IndexApply
{
    public static bool Covers(byte rmgr) => rmgr is RmgrId.Btree or RmgrId.Hash or RmgrId.Gin or RmgrId.Gist or RmgrId.SpGist or RmgrId.Brin
        or RmgrId.Generic;

    public static void Apply(PgVersion version, in BlockChange change, Span<byte> page)
    {
        switch (change.Rmgr)
        {
            case RmgrId.Btree:
                BtreeRedo.Apply(version, change, page);
                break;
            case RmgrId.Hash:
                HashRedo.Apply(version, change, page);
                break;
            case RmgrId.Gin:
                GinRedo.Apply(version, change, page);
                break;
            case RmgrId.Gist:
                GistRedo.Apply(version, change, page);
                break;
            case RmgrId.SpGist:
                SpGistRedo.Apply(version, change, page);
                break;
            case RmgrId.Brin:
                BrinRedo.Apply(version, change, page);
                break;
            case RmgrId.Generic:
                GenericRedo.Apply(version, change, page);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(change), change.Rmgr, "Not an index resource manager.");
        }
    }
}
