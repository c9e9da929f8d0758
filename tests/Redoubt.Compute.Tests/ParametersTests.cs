using Redoubt.Compute.Configuration;
using Redoubt.Compute.Postgres;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

public class ParametersTests
{
    [Fact]
    public void What_keeps_data_safe_cannot_be_set_and_the_reason_is_given()
    {
        var refused = new Dictionary<string, string>();
        string conf = Parameters.Render(
            PgVersion.Pg17,
            [("fsync", "off"), ("commit_delay", "0"), ("Wal_Sync_Method", "open_sync"), ("work_mem", "'8MB'"), ("wal_level", "minimal")],
            [("port", "5433")],
            (name, reason) => refused[name] = reason);
        Assert.Equal(["Wal_Sync_Method", "fsync", "wal_level"], refused.Keys.Order(StringComparer.Ordinal));
        Assert.All(refused.Values, reason => Assert.NotEmpty(reason));
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
    public void A_line_that_is_no_parameter_is_a_configuration_error_that_names_it()
    {
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "# comment\nwork_mem = '4MB'\n= nonsense\n");
            var e = Assert.Throws<ConfigurationException>(() => Parameters.Parse(path));
            Assert.Contains("line 3", e.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static string Last(string conf, string name) =>
        conf.Split('\n').Last(l => l.StartsWith(name + " ", StringComparison.OrdinalIgnoreCase));
}
