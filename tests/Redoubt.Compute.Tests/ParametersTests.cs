using Redoubt.Compute.Postgres;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

public class ParametersTests
{
    [Fact]
    public void What_keeps_data_safe_cannot_be_set_and_the_reason_is_given()
    {
        (string, string)[] user = [("fsync", "off"), ("commit_delay", "0"), ("Wal_Sync_Method", "open_sync"), ("work_mem", "'8MB'"), ("wal_level", "minimal")];
        var refused = Parameters.Refused(user);
        string conf = Parameters.Render(PgVersion.Pg17, user, [("port", "5433")]);
        Assert.Equal(["Wal_Sync_Method", "fsync", "wal_level"], refused.Select(r => r.Name).Order(StringComparer.Ordinal));
        Assert.All(refused, r => Assert.StartsWith($"{r.Name} is set by Redoubt: ", r.Reason, StringComparison.Ordinal));
        Assert.Contains("\nwork_mem = '8MB'\n", conf, StringComparison.Ordinal);
        Assert.DoesNotContain("fsync = off", conf, StringComparison.Ordinal);
        // The last line wins in PostgreSQL.
        Assert.Equal("fsync = on", Last(conf, "fsync"));
        Assert.Equal("commit_delay = 0", Last(conf, "commit_delay"));
        Assert.Equal("port = '5433'", Last(conf, "port"));
    }

    [Fact]
    public void Io_uring_is_refused_because_the_shim_cannot_see_it() =>
        Assert.NotNull(Parameters.ReasonAgainst("io_method", "'io_uring'"));

    [Fact]
    public void A_line_that_is_no_parameter_is_named_and_the_others_are_read()
    {
        var (parameters, malformed) = Parameters.Parse("# comment\nwork_mem = '4MB'\n= nonsense\n");
        Assert.Equal([("work_mem", "'4MB'")], parameters);
        Assert.Contains("line 3", Assert.Single(malformed).Reason, StringComparison.Ordinal);
    }

    private static string Last(string conf, string name) =>
        conf.Split('\n').Last(l => l.StartsWith(name + " ", StringComparison.OrdinalIgnoreCase));
}
