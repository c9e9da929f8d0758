using Npgsql;

namespace Redoubt.Verify.Workloads;

/// <summary>
/// Tells when a script will not go on: a client that asks nothing of its server (an endless <c>\watch</c>, a question that nobody answers), or
/// sessions that wait for locks of transactions which no session has any more.
/// </summary>
internal static class StuckClient
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private const string Busy =
        $"""
        SELECT count(*) FROM pg_catalog.pg_stat_activity
        WHERE backend_type = 'client backend' AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock'
              AND application_name <> '{StockPostgres.ApplicationName}'
        """;

    /// <summary>Returns when no session has been seen at work for a minute; looks once a second.</summary>
    /// <param name="server">The server, which may crash meanwhile.</param>
    /// <param name="stop">Ends the watch.</param>
    public static async Task WaitAsync(StockPostgres server, CancellationToken stop)
    {
        for (var idle = TimeSpan.Zero; idle < Patience; idle += Pause)
        {
            await Task.Delay(Pause, stop).ConfigureAwait(false);
            try
            {
                if (await server.ScalarAsync(Busy, stop).ConfigureAwait(false) != "0")
                {
                    idle = TimeSpan.Zero;
                }
            }
            catch (NpgsqlException)
            {
                // No server, no session at work; a server that is down for a minute will not come back.
            }
        }
    }
}
