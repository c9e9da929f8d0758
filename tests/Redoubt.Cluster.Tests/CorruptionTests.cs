namespace Redoubt.Cluster.Tests;

/// <summary>Damaged bytes are found, said, repaired from peers, and never served.</summary>
public sealed class CorruptionTests
{
    [Fact]
    public async Task A_corrupt_segment_log_is_found_and_repaired()
    {
        await using var cluster = await TestCluster.StartAsync(copies: 3);
        var bank = new Bank(cluster, scale: 1);
        await bank.CreateAsync();
        await cluster.DrillAsync("corrupt", "storage-1", 64);
        // A new start reads the whole log.
        await cluster.DrillAsync("kill", "storage-1");
        await cluster.WaitForAsync("storage-1 to be repaired", s => s.Phase == "Ready");
        Assert.Matches("(?i)(crc|corrupt|damaged)", cluster.LogOf("storage-1"));
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        await bank.RunAsync(2, stop.Token);
        await bank.AssertNothingLostAsync();
        await cluster.VerifyAsync();
    }
}
