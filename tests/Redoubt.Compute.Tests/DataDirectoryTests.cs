using Redoubt.Compute.Postgres;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

public sealed class DataDirectoryTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("redoubt-datadir-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void What_is_discarded_takes_no_space_and_goes_later_and_links_are_not_followed()
    {
        string data = Path.Combine(_root, "pgdata"), outside = Path.Combine(_root, "outside"), old = data + ".old";
        Directory.CreateDirectory(Path.Combine(data, "base", "5"));
        Directory.CreateDirectory(Path.Combine(data, "pg_tblspc"));
        Directory.CreateDirectory(outside);
        File.WriteAllText(Path.Combine(data, "base", "5", "1259"), "contents");
        File.WriteAllText(Path.Combine(outside, "2600"), "in use");
        Directory.CreateSymbolicLink(Path.Combine(data, "pg_tblspc", "16384"), outside);
        var directory = new DataDirectory(data, PgVersion.Pg17, new OsAccount(Environment.UserName, 0, 0, MustChange: false));

        directory.Recreate();
        Assert.True(File.Exists(Path.Combine(Assert.Single(Directory.GetDirectories(old)), "base", "5", "1259")));
        Assert.Empty(Directory.GetFiles(Path.Combine(data, "base")));
        directory.DeleteDiscarded(TimeSpan.FromMinutes(1));
        Assert.Equal(0, new FileInfo(Path.Combine(Assert.Single(Directory.GetDirectories(old)), "base", "5", "1259")).Length);
        Assert.Equal("in use", File.ReadAllText(Path.Combine(outside, "2600")));

        directory.DeleteDiscarded(TimeSpan.Zero);
        Assert.Empty(Directory.GetDirectories(old));
        Assert.Equal("in use", File.ReadAllText(Path.Combine(outside, "2600")));
    }
}
