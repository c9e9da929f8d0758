namespace Redoubt.Compute.Postgres;

/// <summary>
/// Settings with which the agent's own SQL runs, whatever the configuration file, the database and the role say: what is asked for at the start of a
/// session (<c>PGC_S_CLIENT</c>, utils/guc.h) comes before all of these.
/// </summary>
internal static class SessionSettings
{
    private static readonly (string Name, string Value)[] All =
    [
        ("search_path", "pg_catalog"),
        ("role", "none"),
        ("default_transaction_read_only", "off"),
        ("default_transaction_deferrable", "off"),
        ("default_transaction_isolation", "read committed"),
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("transaction_timeout", "0"),
        ("idle_session_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("session_preload_libraries", ""),
        ("local_preload_libraries", ""),
        ("event_triggers", "off"),
        ("synchronous_commit", "on"),

        // A verifier is no password, but it is nobody's to read.
        ("track_activities", "off"),
        ("log_statement", "none"),
        ("log_duration", "off"),
        ("log_min_duration_statement", "-1"),
        ("log_min_duration_sample", "-1"),
        ("log_transaction_sample_rate", "0"),
        ("log_min_error_statement", "panic"),
        ("log_parameter_max_length", "0"),
        ("log_parameter_max_length_on_error", "0"),
        ("debug_print_parse", "off"),
        ("debug_print_rewritten", "off"),
        ("debug_print_plan", "off"),
        ("pg_stat_statements.track", "none"),
        ("auto_explain.log_min_duration", "-1"),
        ("pgaudit.log", "none"),
    ];

    /// <summary>For <c>options</c> of a connection of <paramref name="role"/>.</summary>
    public static string ForConnection(string role) => string.Join(
        ' ', All.Append(("session_authorization", role)).Select(s => $"-c {s.Item1}={s.Item2.Replace("\\", @"\\", StringComparison.Ordinal).Replace(" ", "\\ ", StringComparison.Ordinal)}"));

    /// <summary>For the command line of single-user mode.</summary>
    public static IEnumerable<string> ForSingleUser() => All.SelectMany(s => new[] { "-c", $"{s.Name}={s.Value}" });
}
