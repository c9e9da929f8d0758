namespace Redoubt.Operator.Planning.Builders;

/// <summary>
/// Parameters that are not the user's to set. The custom resource's rules refuse them at admission, in lower case; this is for names in other
/// spellings and for clusters made under older rules. A test holds both together.
/// </summary>
public static class FixedParameters
{
    public static readonly IReadOnlySet<string> Names = new HashSet<string>(StringComparer.Ordinal)
    {
        "fsync", "full_page_writes", "wal_compression", "restart_after_crash", "allow_alter_system", "port",
        "listen_addresses", "data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "unix_socket_directories", "include",
        "include_dir", "include_if_exists", "archive_mode", "archive_command", "archive_library", "restore_command", "primary_conninfo",
        "primary_slot_name", "hot_standby", "ssl", "ssl_cert_file", "ssl_key_file", "ssl_ca_file", "wal_log_hints", "wal_init_zero",
        "wal_sync_method", "summarize_wal", "debug_io_direct",
        "unix_socket_permissions", "checkpoint_flush_after", "backend_flush_after", "bgwriter_flush_after", "wal_writer_flush_after",
        "logging_collector", "log_destination", "log_directory", "log_filename", "recovery_target", "recovery_target_action",
        "recovery_target_inclusive", "recovery_target_lsn", "recovery_target_name", "recovery_target_time", "recovery_target_timeline",
        "recovery_target_xid",
    };
}
