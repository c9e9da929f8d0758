using System.Diagnostics;
using System.Globalization;
using k8s;
using k8s.Models;

namespace Redoubt.EndToEnd;

/// <summary>What may happen to a running cluster of six copies. The operator is killed in the middle of each; commits are checked throughout.</summary>
public sealed class DisturbanceTests(InstalledFixture installed)
{
    private Target Target => installed.Target;

    /// <summary>The newest compute pod that lives; one that has ended may stay beside it for its log.</summary>
    private static async Task<V1Pod> ComputeAsync(Database database)
    {
        V1Pod? newest = null;
        await Wait.UntilAsync(async () => (newest = (await database.PodsAsync("compute"))
            .Where(p => p.Metadata.DeletionTimestamp is null && p.Status?.Phase is not ("Failed" or "Succeeded"))
            .MaxBy(p => int.Parse(p.Name().Split('-')[^1], CultureInfo.InvariantCulture))) is not null, TimeSpan.FromSeconds(60), database.StoryAsync);
        return newest!;
    }

    private async Task UnharmedAsync(Func<Database, Task> disturb)
    {
        var database = await installed.StandardAsync();
        await using var ledger = await Ledger.StartAsync(database);
        await disturb(database);
        await Target.KillOperatorAsync();
        await database.IsWholeAsync();
        await ledger.AdvancesAsync(TimeSpan.FromSeconds(60));
        await ledger.NothingIsLostAsync();
    }

    [Fact]
    public async Task A_deleted_compute_pod_is_replaced_and_keeps_every_commit()
    {
        string? old = null;
        await UnharmedAsync(async database =>
        {
            old = (await ComputeAsync(database)).Name();
            await Target.Client.DeleteNamespacedPodAsync(old, database.Namespace);
        });
        var now = await ComputeAsync(await installed.StandardAsync());
        Assert.NotEqual(old, now.Name());
    }

    [Fact]
    public async Task From_SIGKILL_of_the_compute_pod_to_the_next_commit_it_takes_less_than_five_seconds()
    {
        // On a real cluster the node's speed of scheduling and image start is not ours.
        var limit = TimeSpan.FromSeconds(Target.IsTestCluster && !IsMachineSwamped() ? 5 : 60);
        var outages = new List<TimeSpan>();
        Console.WriteLine($"held to {limit.TotalSeconds:0} s");
        // A machine that is busy with something else may be slow once; one that is slow five times is too slow.
        while (outages.Count < 5 && !outages.Exists(o => o < limit))
        {
            var database = await installed.StandardAsync();
            await using var ledger = await Ledger.StartAsync(database);
            var compute = (await ComputeAsync(database)).Name();
            outages.Add(await ledger.OutageAfterAsync(() => Target.KillAsync(database.Namespace, compute), TimeSpan.FromMinutes(2)));
            Console.WriteLine($"SIGKILL of the compute pod to the next commit: {outages[^1].TotalSeconds:0.00} s");
            await ledger.NothingIsLostAsync();
        }
        Assert.Contains(outages, o => o < limit);
    }

    /// <summary>
    /// Whether far more wants to run here than the processors take: fifteen times, which this suite alone does not make. A time that is measured
    /// then tells about the other work.
    /// </summary>
    private static bool IsMachineSwamped() =>
        double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture) > 15 * Environment.ProcessorCount;

    [Fact]
    public Task A_deleted_storage_pod_returns_and_catches_up() => UnharmedAsync(async database =>
    {
        var clock = Stopwatch.StartNew();
        var old = await Target.Client.DeleteNamespacedPodAsync("orders-storage-1", database.Namespace);
        await Wait.UntilAsync(async () => (await Target.Client.ReadNamespacedPodAsync("orders-storage-1", database.Namespace)).Uid() != old.Uid(),
            TimeSpan.FromMinutes(2), database.StoryAsync);
        // It stops when it is told to, not when its grace period of thirty seconds is over.
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 25);
    });

    [Fact]
    public Task A_storage_pod_whose_volume_is_gone_is_rebuilt_from_its_peers() => UnharmedAsync(async database =>
    {
        var uid = (await Target.Client.ReadNamespacedPersistentVolumeClaimAsync("orders-storage-2", database.Namespace)).Uid();
        await Target.Client.DeleteNamespacedPersistentVolumeClaimAsync("orders-storage-2", database.Namespace);
        await Target.Client.DeleteNamespacedPodAsync("orders-storage-2", database.Namespace, gracePeriodSeconds: 1);
        await Target.KillOperatorAsync();
        await Wait.UntilAsync(async () => (await Target.Client.ReadNamespacedPersistentVolumeClaimAsync("orders-storage-2", database.Namespace)).Uid() != uid,
            TimeSpan.FromMinutes(2), database.StoryAsync);
    });

    [Fact]
    public async Task Reloadable_parameters_are_reloaded_and_others_replace_the_compute_pod()
    {
        string? before = null, reloaded = null;
        await UnharmedAsync(async database =>
        {
            before = (await ComputeAsync(database)).Name();
            await database.PatchAsync("""{"postgres":{"parameters":{"work_mem":"23MB"}}}""");
            await Target.KillOperatorAsync();
            await Wait.UntilAsync(async () => await database.SqlAsync("show work_mem") is "23MB", TimeSpan.FromMinutes(2), database.StoryAsync);
            reloaded = (await ComputeAsync(database)).Name();
            await database.PatchAsync("""{"postgres":{"parameters":{"max_connections":"123"}}}""");
            await Target.KillOperatorAsync();
            await Wait.UntilAsync(async () => await database.SqlAsync("show max_connections") is "123", TimeSpan.FromMinutes(2), database.StoryAsync);
        });
        Assert.Equal(before, reloaded);
        var standard = await installed.StandardAsync();
        Assert.NotEqual(before, (await ComputeAsync(standard)).Name());
        Assert.Equal("23MB", await standard.SqlAsync("show work_mem"));
    }

    [Fact]
    public async Task An_image_upgrade_rolls_storage_one_at_a_time_and_compute_last()
    {
        var images = await Target.OtherImagesAsync(await installed.StandardAsync());
        Assert.SkipWhen(images is null, "set REDOUBT_E2E_UPGRADE_TAG to a second tag of the images: those that the pods run have no other name");
        var (storage, compute) = images!.Value;
        using var watching = new CancellationTokenSource();
        var mostMissing = 0;
        Task? watch = null;
        await UnharmedAsync(async database =>
        {
            watch = Task.Run(async () =>
            {
                while (!watching.IsCancellationRequested)
                {
                    var pods = await database.PodsAsync("storage");
                    var whole = pods.Count(p => p.Metadata.DeletionTimestamp is null && p.Status?.Conditions?.Any(c => c is { Type: "Ready", Status: "True" }) == true);
                    mostMissing = Math.Max(mostMissing, 6 - whole);
                    await Task.Delay(50);
                }
            });
            await database.PatchAsync($$"""{"images":{"storage":"{{storage}}","compute":"{{compute}}"} }""");
            await Target.KillOperatorAsync();
            await Wait.UntilAsync(async () => (await database.PodsAsync()).All(p => p.Spec.Containers[0].Image == (p.Labels()["redoubt.dev/role"] == "compute" ? compute : storage)),
                TimeSpan.FromMinutes(5), database.StoryAsync);
        });
        await watching.CancelAsync();
        await watch!;
        Assert.Equal(1, mostMissing);
        var standard = await installed.StandardAsync();
        var last = await ComputeAsync(standard);
        Assert.All(await standard.PodsAsync("storage"), p => Assert.True(p.CreationTimestamp() <= last.CreationTimestamp(), $"{p.Name()} is younger than the compute pod"));
    }

    [Fact]
    public async Task Random_kills_under_load_lose_no_acknowledged_commit()
    {
        // Twenty with ./redoubt test --soak and on a real cluster.
        var kills = Target.IsTestCluster && Environment.GetEnvironmentVariable("REDOUBT_SOAK") is not "1" ? 6 : 20;
        var database = await installed.StandardAsync();
        var seed = Environment.TickCount;
        Console.WriteLine($"seed of the random kills: {seed}");
        var random = new Random(seed);
        await using var ledger = await Ledger.StartAsync(database);
        for (var i = 0; i < kills; i++)
        {
            var pods = (await database.PodsAsync()).Where(p => p.Status?.Phase == "Running").ToList();
            var victim = pods[random.Next(pods.Count)];
            if (random.Next(2) == 0)
            {
                await Target.KillAsync(database.Namespace, victim.Name());
            }
            else
            {
                await Target.Client.DeleteNamespacedPodAsync(victim.Name(), database.Namespace, gracePeriodSeconds: 0);
            }
            if (i % 5 == 2)
            {
                await Target.KillOperatorAsync();
            }
            await ledger.AdvancesAsync(TimeSpan.FromMinutes(2));
        }
        await database.IsWholeAsync(TimeSpan.FromMinutes(4));
        Console.WriteLine($"{ledger.Count} commits acknowledged through {kills} kills");
        await ledger.NothingIsLostAsync();
    }
}
