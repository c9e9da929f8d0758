using Npgsql;
using Redoubt.Protocol;

namespace Redoubt.Compute.Tests;

/// <summary>The agent's own SQL with a real PostgreSQL: nothing that SQL can do locks it out, nobody is there before it, and no password is told.</summary>
public sealed class AccountsTests
{
    private const string Hba = "host all dba 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    private const string First = "correct horse";
    private const string NonAscii = "p\u00e4ss\u00adw\u212b\ufb01rd";

    [Fact]
    public async Task Whatever_SQL_does_to_roles_and_databases_the_next_start_is_ready_and_the_passwords_hold()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(1));
        var settings = Settings(volume);
        var agent = await volume.StartAgentAsync("compute", settings);
        await agent.AskAsync("CREATE ROLE dba SUPERUSER LOGIN", "postgres", First);
        string[][] mischief =
        [
            ["ALTER DATABASE postgres SET default_transaction_read_only = on", "ALTER DATABASE template1 SET default_transaction_read_only = on"],
            ["ALTER ROLE postgres SET statement_timeout = '1ms'", "ALTER ROLE postgres SET session_preload_libraries = 'nix'", "ALTER ROLE postgres SET role = 'dba'"],
            ["ALTER ROLE postgres SET session_authorization = 'dba'", "ALTER ROLE postgres SET search_path = 'nix'", "ALTER ROLE postgres PASSWORD 'other' VALID UNTIL '2001-01-01'"],
            ["ALTER ROLE postgres RENAME TO \"ro ot\\\""],
            ["CREATE ROLE postgres LOGIN", "ALTER ROLE \"ro ot\\\" NOLOGIN"],
            ["ALTER DATABASE postgres RENAME TO p", "ALTER DATABASE p ALLOW_CONNECTIONS false"],
        ];
        foreach (string[] statements in mischief)
        {
            foreach (string statement in statements)
            {
                await agent.AskAsync(statement, "dba");
            }

            agent = await AgainAsync(volume, agent, settings);
            string name = await agent.AskAsync("SELECT rolname FROM pg_authid WHERE oid = 10", "dba");
            await agent.AskAsync($"ALTER ROLE \"{name}\" RESET ALL", "dba");
            Assert.Equal(name, await agent.AskAsync("SELECT session_user", name, First));
        }

        // Nobody at all may log in.
        await agent.AskAsync("ALTER ROLE \"ro ot\\\" NOLOGIN; ALTER ROLE dba NOLOGIN", "dba");
        agent = await AgainAsync(volume, agent, settings);
        Assert.Equal("f", await agent.AskAsync("SELECT rolcanlogin::text::char FROM pg_authid WHERE rolname = 'dba'", "ro ot\\", First));
        agent = await AgainAsync(volume, agent, settings);
        Assert.Equal("1", await agent.AskAsync("SELECT 1", "ro ot\\", First));
    }

    [Fact]
    public async Task A_login_trigger_or_read_only_by_parameter_keeps_nobody_out()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(1));
        var settings = Settings(volume, "default_transaction_read_only = 'on'\nlog_statement = 'all'\npassword_encryption = 'md5'\n");
        var agent = await volume.StartAgentAsync("compute", settings);
        await agent.AskAsync("CREATE ROLE dba SUPERUSER LOGIN", "postgres", First);
        await agent.AskAsync(
            "CREATE FUNCTION nobody() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'nobody'; END $$; "
            + "CREATE EVENT TRIGGER nobody ON login EXECUTE FUNCTION nobody()", "dba", "", "postgres");
        agent = await AgainAsync(volume, agent, settings);
        Assert.Equal("1", await agent.AskAsync("SELECT 1", "app", "geheim", "app"));
        Assert.DoesNotContain("PASSWORD", agent.Log, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("SCRAM-SHA-256$", agent.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_applications_role_and_database_are_made_once_and_a_new_password_holds_within_seconds()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(1));
        var settings = Settings(volume);
        var agent = await volume.StartAgentAsync("compute", settings);
        Assert.Equal("app", await agent.AskAsync("SELECT datdba::regrole::text FROM pg_database WHERE datname = 'app'", "app", "geheim", "app"));
        await agent.AskAsync("CREATE ROLE dba SUPERUSER LOGIN", "postgres", First);
        await agent.AskAsync("ALTER DATABASE app RENAME TO shop", "dba");
        await agent.AskAsync("ALTER ROLE app RENAME TO keeper", "dba");
        agent = await AgainAsync(volume, agent, settings);
        Assert.Equal("keeper,shop", await agent.AskAsync(
            "SELECT (SELECT string_agg(rolname, ',') FROM pg_authid WHERE rolname IN ('app', 'keeper')) || ',' || (SELECT string_agg(datname, ',') FROM pg_database WHERE datname IN ('app', 'shop'))", "dba"));

        foreach (string password in new[] { "other", NonAscii, "\ud83d\udc18\ufb01", "\u0627\u0644" })
        {
            volume.WriteFile("app", password + "\n");
            volume.WriteFile("superuser", password + "!\n");
            await WithinAsync(() => agent.AskAsync("SELECT 1", "dba", "", "shop"));
            string made = await agent.AskAsync("SELECT rolpassword FROM pg_authid WHERE rolname = 'keeper'", "dba");
            await WithinAsync(async () => Assert.NotEqual(made, await agent.AskAsync("SELECT rolpassword FROM pg_authid WHERE rolname = 'keeper'", "dba")));

            // PostgreSQL is the judge of what this password is: its own verifier and ours accept the same.
            await agent.AskAsync("DROP ROLE IF EXISTS twin", "dba");
            await agent.AskAsync($"CREATE ROLE twin LOGIN PASSWORD '{password}'", "dba");
            string theirs = await agent.AskAsync("SELECT rolpassword FROM pg_authid WHERE rolname = 'twin'", "dba");
            string ours = await agent.AskAsync("SELECT rolpassword FROM pg_authid WHERE rolname = 'keeper'", "dba");
            byte[] prepared = System.Text.Encoding.UTF8.GetBytes(await agent.AskAsync(
                Postgres.SaslPrep.Map(System.Text.Encoding.UTF8.GetBytes(password)) is { } mapped ? $"SELECT normalize('{mapped}', NFKC)" : $"SELECT '{password}'", "dba"));
            Assert.True(Postgres.ScramVerifier.Matches(theirs, prepared), password);
            Assert.True(Postgres.ScramVerifier.Matches(ours, prepared), password);
            Assert.False(Postgres.ScramVerifier.Matches(ours, "wrong"u8));
        }

        await agent.AskAsync("DROP DATABASE shop", "dba");
        await agent.AskAsync("DROP ROLE keeper", "dba");
        agent = await AgainAsync(volume, agent, settings);
        Assert.Equal("0", await agent.AskAsync("SELECT count(*) FROM pg_database WHERE datname IN ('app', 'shop')", "dba"));
        Assert.Contains("no role 'app'", (await agent.StatusAsync()).GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Clients_that_take_every_slot_or_sit_in_template1_delay_nothing_and_nobody_gets_in_with_the_old_password()
    {
        await using var volume = await RealVolume.StartAsync(VolumeShape.ForCopies(1));
        var settings = Settings(volume, "max_connections = '5'\nsuperuser_reserved_connections = '0'\nmax_wal_senders = '0'\n");
        var agent = await volume.StartAgentAsync("compute", settings);
        await agent.AskAsync("CREATE ROLE dba SUPERUSER LOGIN", "postgres", First);
        agent.Kill();
        volume.WriteFile("app", "new");
        agent = await volume.StartAgentAsync("compute", settings, untilReady: false);
        using var end = new CancellationTokenSource();
        int oldLogins = 0, refused = 0;
        var crowd = Enumerable.Range(0, 30).Select(i => Task.Run(async () =>
        {
            while (!end.IsCancellationRequested)
            {
                try
                {
                    await agent.AskAsync("SELECT pg_sleep(0.05)", i % 2 == 0 ? "app" : "dba", "geheim");
                    Interlocked.Add(ref oldLogins, i % 2 == 0 ? 1 : 0);
                }
                catch (NpgsqlException)
                {
                    Interlocked.Increment(ref refused);
                    await Task.Delay(1);
                }
            }
        })).ToArray();
        await agent.WhenReadyAsync(TimeSpan.FromMinutes(1));

        // All slots are taken nearly always; a new password gets through all the same.
        volume.WriteFile("app", "newer");
        await WithinAsync(() => agent.AskAsync("SELECT 1", "app", "newer"));
        await end.CancelAsync();
        await Task.WhenAll(crowd);
        Assert.Equal(0, oldLogins);
        Assert.True(refused > 0);
    }

    private static Dictionary<string, string> Settings(RealVolume volume, string parameters = "") => new()
    {
        ["REDOUBT_HBA_FILE"] = volume.WriteFile("hba", Hba),
        ["REDOUBT_SUPERUSER_PASSWORD_FILE"] = volume.WriteFile("superuser", First + "\n"),
        ["REDOUBT_APP_USER"] = "app",
        ["REDOUBT_APP_DATABASE"] = "app",
        ["REDOUBT_APP_PASSWORD_FILE"] = volume.WriteFile("app", "geheim"),
        ["REDOUBT_PARAMETERS_FILE"] = volume.WriteFile("parameters", parameters),
    };

    private static async Task<RealAgent> AgainAsync(RealVolume volume, RealAgent agent, Dictionary<string, string> settings)
    {
        agent.Kill();
        return await volume.StartAgentAsync("compute", settings);
    }

    /// <summary>Within a minute, as is promised.</summary>
    private static async Task WithinAsync(Func<Task> attempt)
    {
        for (var clock = System.Diagnostics.Stopwatch.StartNew(); ;)
        {
            try
            {
                await attempt();
                return;
            }
            catch (Exception e) when (e is NpgsqlException or Xunit.Sdk.XunitException && clock.Elapsed < TimeSpan.FromMinutes(1))
            {
                await Task.Delay(50, TestContext.Current.CancellationToken);
            }
        }
    }
}
