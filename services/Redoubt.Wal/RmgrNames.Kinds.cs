namespace Redoubt.Wal;

public static partial class RmgrNames
{
    /// <summary>The tables of the <c>*_identify</c> functions (access/rmgrdesc), the same in 17 and 18; null for what has no name.</summary>
    private static string? KnownKind(byte rmgr, byte info) => rmgr switch
    {
        RmgrId.Xlog => info switch
        {
            0x00 => "CHECKPOINT_SHUTDOWN",
            0x10 => "CHECKPOINT_ONLINE",
            0x20 => "NOOP",
            0x30 => "NEXTOID",
            0x40 => "SWITCH",
            0x50 => "BACKUP_END",
            0x60 => "PARAMETER_CHANGE",
            0x70 => "RESTORE_POINT",
            0x80 => "FPW_CHANGE",
            0x90 => "END_OF_RECOVERY",
            0xA0 => "FPI_FOR_HINT",
            0xB0 => "FPI",
            0xD0 => "OVERWRITE_CONTRECORD",
            0xE0 => "CHECKPOINT_REDO",
            _ => null,
        },
        RmgrId.Transaction => (info & 0x70) switch
        {
            0x00 => "COMMIT",
            0x10 => "PREPARE",
            0x20 => "ABORT",
            0x30 => "COMMIT_PREPARED",
            0x40 => "ABORT_PREPARED",
            0x50 => "ASSIGNMENT",
            0x60 => "INVALIDATION",
            _ => null,
        },
        RmgrId.Storage => info switch
        {
            0x10 => "CREATE",
            0x20 => "TRUNCATE",
            _ => null,
        },
        RmgrId.Clog => info switch
        {
            0x00 => "ZEROPAGE",
            0x10 => "TRUNCATE",
            _ => null,
        },
        RmgrId.Database => info switch
        {
            0x00 => "CREATE_FILE_COPY",
            0x10 => "CREATE_WAL_LOG",
            0x20 => "DROP",
            _ => null,
        },
        RmgrId.Tablespace => info switch
        {
            0x00 => "CREATE",
            0x10 => "DROP",
            _ => null,
        },
        RmgrId.MultiXact => info switch
        {
            0x00 => "ZERO_OFF_PAGE",
            0x10 => "ZERO_MEM_PAGE",
            0x20 => "CREATE_ID",
            0x30 => "TRUNCATE_ID",
            _ => null,
        },
        RmgrId.RelMap => info switch
        {
            0x00 => "UPDATE",
            _ => null,
        },
        RmgrId.Standby => info switch
        {
            0x00 => "LOCK",
            0x10 => "RUNNING_XACTS",
            0x20 => "INVALIDATIONS",
            _ => null,
        },
        RmgrId.Heap2 => info switch
        {
            0x00 => "REWRITE",
            0x10 => "PRUNE_ON_ACCESS",
            0x20 => "PRUNE_VACUUM_SCAN",
            0x30 => "PRUNE_VACUUM_CLEANUP",
            0x40 => "VISIBLE",
            0x50 => "MULTI_INSERT",
            0x60 => "LOCK_UPDATED",
            0x70 => "NEW_CID",
            0xD0 => "MULTI_INSERT+INIT",
            _ => null,
        },
        RmgrId.Heap => info switch
        {
            0x00 => "INSERT",
            0x10 => "DELETE",
            0x20 => "UPDATE",
            0x30 => "TRUNCATE",
            0x40 => "HOT_UPDATE",
            0x50 => "HEAP_CONFIRM",
            0x60 => "LOCK",
            0x70 => "INPLACE",
            0x80 => "INSERT+INIT",
            0xA0 => "UPDATE+INIT",
            0xC0 => "HOT_UPDATE+INIT",
            _ => null,
        },
        RmgrId.Btree => info switch
        {
            0x00 => "INSERT_LEAF",
            0x10 => "INSERT_UPPER",
            0x20 => "INSERT_META",
            0x30 => "SPLIT_L",
            0x40 => "SPLIT_R",
            0x50 => "INSERT_POST",
            0x60 => "DEDUP",
            0x70 => "DELETE",
            0x80 => "UNLINK_PAGE",
            0x90 => "UNLINK_PAGE_META",
            0xA0 => "NEWROOT",
            0xB0 => "MARK_PAGE_HALFDEAD",
            0xC0 => "VACUUM",
            0xD0 => "REUSE_PAGE",
            0xE0 => "META_CLEANUP",
            _ => null,
        },
        RmgrId.Hash => info switch
        {
            0x00 => "INIT_META_PAGE",
            0x10 => "INIT_BITMAP_PAGE",
            0x20 => "INSERT",
            0x30 => "ADD_OVFL_PAGE",
            0x40 => "SPLIT_ALLOCATE_PAGE",
            0x50 => "SPLIT_PAGE",
            0x60 => "SPLIT_COMPLETE",
            0x70 => "MOVE_PAGE_CONTENTS",
            0x80 => "SQUEEZE_PAGE",
            0x90 => "DELETE",
            0xA0 => "SPLIT_CLEANUP",
            0xB0 => "UPDATE_META_PAGE",
            0xC0 => "VACUUM_ONE_PAGE",
            _ => null,
        },
        RmgrId.Gin => info switch
        {
            0x10 => "CREATE_PTREE",
            0x20 => "INSERT",
            0x30 => "SPLIT",
            0x40 => "VACUUM_PAGE",
            0x50 => "DELETE_PAGE",
            0x60 => "UPDATE_META_PAGE",
            0x70 => "INSERT_LISTPAGE",
            0x80 => "DELETE_LISTPAGE",
            0x90 => "VACUUM_DATA_LEAF_PAGE",
            _ => null,
        },
        RmgrId.Gist => info switch
        {
            0x00 => "PAGE_UPDATE",
            0x10 => "DELETE",
            0x20 => "PAGE_REUSE",
            0x30 => "PAGE_SPLIT",
            0x60 => "PAGE_DELETE",
            0x70 => "ASSIGN_LSN",
            _ => null,
        },
        RmgrId.Sequence => info switch
        {
            0x00 => "LOG",
            _ => null,
        },
        RmgrId.SpGist => info switch
        {
            0x10 => "ADD_LEAF",
            0x20 => "MOVE_LEAFS",
            0x30 => "ADD_NODE",
            0x40 => "SPLIT_TUPLE",
            0x50 => "PICKSPLIT",
            0x60 => "VACUUM_LEAF",
            0x70 => "VACUUM_ROOT",
            0x80 => "VACUUM_REDIRECT",
            _ => null,
        },
        RmgrId.Brin => info switch
        {
            0x00 => "CREATE_INDEX",
            0x10 => "INSERT",
            0x20 => "UPDATE",
            0x30 => "SAMEPAGE_UPDATE",
            0x40 => "REVMAP_EXTEND",
            0x50 => "DESUMMARIZE",
            0x90 => "INSERT+INIT",
            0xA0 => "UPDATE+INIT",
            _ => null,
        },
        RmgrId.CommitTs => info switch
        {
            0x00 => "ZEROPAGE",
            0x10 => "TRUNCATE",
            _ => null,
        },
        RmgrId.ReplicationOrigin => info switch
        {
            0x00 => "SET",
            0x10 => "DROP",
            _ => null,
        },
        RmgrId.Generic => info switch
        {
            0x00 => "Generic",
            _ => null,
        },
        RmgrId.LogicalMessage => info switch
        {
            0x00 => "MESSAGE",
            _ => null,
        },
        _ => null,
    };
}
