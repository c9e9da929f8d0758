using Redoubt.Compute.Postgres;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

public class DataPathTests
{
    [Theory]
    [InlineData("base/5/16384", 1663, 5, 16384, Fork.Main, 0)]
    [InlineData("base/5/16384.2", 1663, 5, 16384, Fork.Main, 262144)]
    [InlineData("base/5/16384_vm.1", 1663, 5, 16384, Fork.VisibilityMap, 131072)]
    [InlineData("./base/5/16384_fsm", 1663, 5, 16384, Fork.FreeSpaceMap, 0)]
    [InlineData("base/5/16384_init", 1663, 5, 16384, Fork.Init, 0)]
    [InlineData("global/1262", 1664, 0, 1262, Fork.Main, 0)]
    [InlineData("pg_tblspc/16400/PG_17_202406281/5/16401.1", 16400, 5, 16401, Fork.Main, 131072)]
    [InlineData("pg_xact/0001", 0, 0, 0, Fork.SlruXact, 32)]
    [InlineData("pg_multixact/offsets/000A", 0, 0, 0, Fork.SlruMultiXactOffsets, 320)]
    [InlineData("pg_multixact/members/10000", 0, 0, 0, Fork.SlruMultiXactMembers, 2097152)]
    public void A_path_names_the_first_page_of_its_file(string path, uint spc, uint db, uint rel, Fork fork, uint block)
    {
        Assert.True(DataPath.TryParse(path, out var first));
        Assert.Equal(new PageKey(new RelFileLocator(spc, db, rel), fork, block), first);
    }

    [Theory]
    [InlineData("base/5/t3_16384")]
    [InlineData("base/5/PG_VERSION")]
    [InlineData("base/5/pg_filenode.map")]
    [InlineData("base/16384")]
    [InlineData("global/pg_control")]
    [InlineData("pg_wal/000000010000000000000001")]
    [InlineData("pg_xact/zzzz")]
    [InlineData("pg_subtrans/0000")]
    [InlineData("../etc/passwd")]
    [InlineData("")]
    public void Anything_else_is_refused(string path) => Assert.False(DataPath.TryParse(path, out _));
}
