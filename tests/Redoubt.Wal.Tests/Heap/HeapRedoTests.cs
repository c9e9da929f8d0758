using Redoubt.Wal.Tests.Reading;

namespace Redoubt.Wal.Tests.Heap;

/// <summary>Heap redo over a real log, clean and damaged. That its pages equal PostgreSQL's is the oracle's business (verify redo).</summary>
public sealed class HeapRedoTests
{
    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Redo_of_heap_pages_allocates_nothing(PgVersion version)
    {
        HeapFollower follower = Follow(await RealLog.GetAsync(version), 0);
        Assert.True(follower.Applied > 20_000, $"only {follower.Applied} changes");
        Assert.True(follower.Freed > 100, $"only {follower.Freed} changes freed room");

        // The zstd and array-pool statics are made once.
        Assert.True(follower.Allocated < 20_000, $"{follower.Allocated} bytes for {follower.Applied} changes");
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Damaged_changes_and_pages_end_in_an_error_with_a_name_or_a_page(PgVersion version)
    {
        HeapFollower follower = Follow(await RealLog.GetAsync(version), 7);
        Assert.True(follower.Refused > 5_000, $"only {follower.Refused} of {follower.Refused + follower.Survived} damaged changes were refused");
    }

    private static HeapFollower Follow(RealLog log, int damageEvery)
    {
        var follower = new HeapFollower(log.Version) { DamageEvery = damageEvery };
        ControlState control = log.NewControl();
        log.ForEach(control, (in WalRecord record) =>
        {
            var sink = new BlocksOnly<HeapSink>(new HeapSink(follower));
            RecordSplitter.Split(log.Version, record, control, ref sink);
            control.Apply(log.Version, record);
        });
        return follower;
    }
}
