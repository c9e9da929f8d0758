using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>PostgreSQL's parameters: those that Redoubt fixes, each with the reason, and the user's.</summary>
public static class Parameters
{
    /// <summary>Parameters that cannot be set: name, value (null: must stay away), reason.</summary>
    private static readonly (string Name, string? Value, string Reason)[] Fixed =
    [
        ("fsync", "on", "a flush of the log is the storage quorum's acknowledgement; pgshim makes all other syncs cost nothing"),
        ("full_page_writes", "off", "storage needs no full-page images"),
        ("wal_log_hints", "off", "storage needs no full-page images"),
        ("wal_compression", "off", "there are no full-page images to compress"),
        ("wal_init_zero", "off", "local log files are scratch space"),
        ("wal_sync_method", "fdatasync", "pgshim makes fdatasync of the log wait for the storage quorum"),
        ("restart_after_crash", "off", "the agent starts PostgreSQL anew from storage"),
        ("allow_alter_system", "off", "parameters belong to the cluster's manifest"),
        ("archive_mode", "off", "the log is archived by storage"),
        ("archive_command", null, "the log is archived by storage"),
        ("archive_library", null, "the log is archived by storage"),
        ("summarize_wal", "off", "snapshots are storage's"),
        ("logging_collector", "off", "the log goes to stderr"),
        ("log_destination", "stderr", "the log goes to stderr"),
        ("data_directory", null, "the agent builds it"),
        ("config_file", null, "the agent writes it"),
        ("hba_file", null, "set REDOUBT_HBA_FILE instead"),
        ("ident_file", null, "the agent writes it"),
        ("external_pid_file", null, "the agent watches the process"),
        ("port", null, "set REDOUBT_PORT instead"),
        ("listen_addresses", null, "set REDOUBT_LISTEN_ADDRESSES instead"),
        ("unix_socket_directories", null, "the socket is the agent's"),
        ("unix_socket_permissions", "0700", "the socket is the agent's"),
        ("unix_socket_group", null, "the socket is the agent's"),
        ("recovery_target", null, "PostgreSQL never recovers by itself here"),
        ("restore_command", null, "PostgreSQL never recovers by itself here"),
        ("primary_conninfo", null, "this is a primary"),
        ("checkpoint_flush_after", "0", "nothing local need reach the disk"),
        ("backend_flush_after", "0", "nothing local need reach the disk"),
        ("bgwriter_flush_after", "0", "nothing local need reach the disk"),
        ("wal_writer_flush_after", "0", "nothing local need reach the disk"),
        ("debug_io_direct", "''", "pgshim needs buffered reads"),
        ("include", null, "give all parameters in one file"),
        ("include_dir", null, "give all parameters in one file"),
        ("include_if_exists", null, "give all parameters in one file"),
    ];

    private static readonly (string Name, string Value)[] Defaults =
    [
        ("wal_level", "replica"),
        ("max_connections", "100"),
        ("shared_buffers", "128MB"),

        // With five other transactions at work a commit waits a moment for theirs: one round to the quorum for all of them.
        ("commit_delay", "400"),
        ("dynamic_shared_memory_type", "posix"),
        ("max_wal_size", "1GB"),
        ("min_wal_size", "80MB"),
        ("timezone", "'UTC'"),
        ("log_timezone", "'UTC'"),
        ("datestyle", "'iso, mdy'"),
        ("default_text_search_config", "'pg_catalog.english'"),
    ];

    private static readonly (string Name, string Value)[] Defaults18 = [("file_copy_method", "copy"), ("io_method", "worker")];

    /// <summary>Reads <c>name = 'value'</c> lines; values keep their quotes. Later lines win.</summary>
    /// <returns>The parameters, and the lines that are none.</returns>
    public static (IReadOnlyList<(string Name, string Value)> Parameters, IReadOnlyList<RejectedParameter> Malformed) Parse(string text)
    {
        var parameters = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var malformed = new List<RejectedParameter>();
        int number = 0;
        foreach (string raw in text.Split('\n'))
        {
            number++;
            string line = raw.Trim();
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            int end = 0;
            while (end < line.Length && (char.IsAsciiLetterOrDigit(line[end]) || line[end] is '_' or '.'))
            {
                end++;
            }

            string value = line[end..].TrimStart();
            value = value.StartsWith('=') ? value[1..].Trim() : value;
            if (end == 0 || value.Length == 0)
            {
                malformed.Add(new RejectedParameter("", line, $"line {number} of the parameters file, '{line}', is not name = 'value'"));
                continue;
            }

            parameters[line[..end]] = value;
        }

        return ([.. parameters.Select(p => (p.Key, p.Value))], malformed);
    }

    /// <summary>Those of the user's parameters that Redoubt refuses.</summary>
    public static IReadOnlyList<RejectedParameter> Refused(IEnumerable<(string Name, string Value)> user) =>
    [
        .. from p in user
           let reason = ReasonAgainst(p.Name, p.Value)
           where reason is not null
           select new RejectedParameter(p.Name, Unquoted(p.Value), $"{p.Name} is set by Redoubt: {reason}"),
    ];

    /// <summary>A value as it was meant: without the quotes of the file.</summary>
    public static string Unquoted(string value) =>
        value.Length >= 2 && value[0] == '\'' && value[^1] == '\'' ? value[1..^1].Replace("''", "'", StringComparison.Ordinal) : value;

    /// <summary>The whole postgresql.conf: defaults, the user's parameters but those that are refused, then what is fixed.</summary>
    public static string Render(PgVersion version, IEnumerable<(string Name, string Value)> user, IEnumerable<(string Name, string Value)> agent)
    {
        var text = new System.Text.StringBuilder("# Written by the agent at every start and reload.\n");
        var defaults = version >= PgVersion.Pg18 ? Defaults.Concat(Defaults18) : Defaults;
        foreach (var (name, value) in defaults.Concat(user.Where(p => ReasonAgainst(p.Name, p.Value) is null)))
        {
            text.Append(name).Append(" = ").Append(value).Append('\n');
        }

        foreach (var (name, value, _) in Fixed)
        {
            if (value is not null)
            {
                text.Append(name).Append(" = ").Append(value).Append('\n');
            }
        }

        foreach (var (name, value) in agent)
        {
            text.Append(name).Append(" = '").Append(value.Replace("'", "''", StringComparison.Ordinal)).Append("'\n");
        }

        return text.ToString();
    }

    /// <summary>Why a parameter may not be set so; null when it may.</summary>
    public static string? ReasonAgainst(string name, string value)
    {
        foreach (var (fixedName, _, reason) in Fixed)
        {
            if (string.Equals(fixedName, name, StringComparison.OrdinalIgnoreCase))
            {
                return reason;
            }
        }

        string plain = value.Trim('\'', ' ').ToLowerInvariant();
        return name.ToLowerInvariant() switch
        {
            "wal_level" when plain is not ("replica" or "logical") => "storage needs all of the log: use replica or logical",
            "io_method" when plain == "io_uring" => "pgshim does not see io_uring's reads: use worker or sync",
            "file_copy_method" when plain == "clone" => "cloning would copy holes without their pages: use copy",
            "dynamic_shared_memory_type" when plain is not ("posix" or "mmap") => "use posix or mmap",
            _ => null,
        };
    }
}
