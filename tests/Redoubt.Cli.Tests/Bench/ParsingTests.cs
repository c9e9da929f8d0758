using Redoubt.Cli.Bench;
using Redoubt.Cli.Bench.Usage;

namespace Redoubt.Cli.Tests.Bench;

/// <summary>What benchmarks read from other programs and from the kernel.</summary>
public sealed class ParsingTests
{
    [Fact]
    public void A_process_whose_name_holds_anything_is_read_right()
    {
        var stat = ProcStat.Parse("4242 (a) b (c) S 17 1 1 0 -1 4194560 100 0 0 0 250 50 300 100 20 0 3 0 987654 1000 10 18446744073709551615\n");
        Assert.Equal(new ProcStat(4242, 17, "a) b (c", 3, 987654, 3.0, 4.0), stat);
    }

    [Fact]
    public void The_kernel_says_this_process_as_it_is()
    {
        var own = ProcStat.All().Single(p => p.Pid == Environment.ProcessId);
        Assert.True(own.Threads > 1);
        Assert.True(own.CpuSeconds > 0);
        Assert.True(ProcFile.MemoryMiB(own.Pid, "VmHWM") > 10);
    }

    [Fact]
    public void Waiting_for_a_disk_is_idle_and_guests_are_counted_once()
    {
        var machine = MachineTime.Parse("cpu  1000 100 500 6000 400 50 25 25 300 30");
        Assert.Equal(new MachineTime(17, 64), machine);
        Assert.Equal(17 / 81.0, machine.BusyShare, 6);
    }

    [Theory]
    [InlineData("progress: 3.0 s, 1033.9 tps, lat 0.967 ms stddev 0.123, 0 failed", 3.0, 1033.9, 0.967)]
    [InlineData("progress: 12.5 s, 0.0 tps, lat -nan ms stddev -nan, 0 failed", 12.5, 0.0, double.NaN)]
    [InlineData("progress: 1.0 s, 99.0 tps, lat 10.000 ms stddev 1.000", 1.0, 99.0, 10.0)]
    public void Progress_of_pgbench_is_understood(string line, double at, double tps, double latency) =>
        Assert.Equal(new PgBenchProgress(at, tps, latency), PgBenchProgress.TryParse(line));

    [Fact]
    public void Other_words_of_pgbench_are_no_progress() => Assert.Null(PgBenchProgress.TryParse("pgbench: error: connection to server failed"));

    [Fact]
    public void The_result_of_pgbench_is_the_rate_without_the_time_of_connecting()
    {
        const string output = "number of transactions actually processed: 4711\nlatency average = 1.5 ms\ninitial connection time = 9 ms\ntps = 812.345678 (without initial connection time)\n";
        Assert.Equal(new PgBench.Result(812.345678, 4711), PgBench.Parse(output));
        Assert.Throws<CliException>(() => PgBench.Parse("nothing"));
    }

    [Theory]
    [InlineData("123456,,raw_syscalls:sys_enter,2000000,100.00,,\n", 123456.0)]
    [InlineData("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n", 0.0)]
    [InlineData("Error: failed to open\n", null)]
    public void The_count_of_perf_is_understood(string output, double? calls) => Assert.Equal(calls, SystemCalls.Parse(output));

    [Fact]
    public void A_metric_is_summed_over_its_labels_and_over_nothing_else()
    {
        var values = MetricsText.Parse("# HELP x y\n# TYPE x counter\nx{a=\"1 2\"} 3\nx{a=\"2\"} 4.5\nx_count 100\ny 7\nz NaN\n\n");
        Assert.Equal(7.5, MetricsText.Sum(values, "x"));
        Assert.Equal(7, MetricsText.Sum(values, "y"));
        Assert.Null(MetricsText.Sum(values, "absent"));
    }

    [Theory]
    [InlineData("postgres: postgres bench 127.0.0.1(40712) UPDATE waiting", Roles.Backends)]
    [InlineData("postgres: postgres postgres [local] idle", Roles.Backends)]
    [InlineData("postgres: cluster: postgres postgres 127.0.0.1(40712) idle", Roles.Backends)]
    [InlineData("postgres: parallel worker for PID 17", Roles.Backends)]
    [InlineData("postgres: walsender postgres 127.0.0.1(40712) streaming 0/3000060", Roles.WalSenders)]
    [InlineData("postgres: checkpointer ", Roles.OtherPostgres)]
    [InlineData("postgres: autovacuum worker postgres", Roles.OtherPostgres)]
    [InlineData("/pg/bin/postgres\0-D\0/data\0", Roles.OtherPostgres)]
    [InlineData("/app/Redoubt.Compute\0", Roles.Agent)]
    public void A_process_of_the_compute_has_the_role_of_its_title(string commandLine, string role) => Assert.Equal(role, Roles.OfCompute(commandLine));

    [Theory]
    [InlineData("postgres: walreceiver streaming 0/3000060", Roles.WalReceivers)]
    [InlineData("postgres: startup recovering 000000010000000000000003", Roles.StandbyStartups)]
    [InlineData("postgres: background writer ", Roles.StandbyRest)]
    [InlineData("/pg/bin/postgres\0-D\0/data\0", Roles.StandbyRest)]
    public void A_process_of_a_standby_has_the_role_of_its_title(string commandLine, string role) => Assert.Equal(role, Roles.OfStandby(commandLine));

    [Theory]
    [InlineData("/pg/bin/postgres\0-D\0/data\0", Roles.OtherPostgres)]
    [InlineData("postgres: walsender postgres 127.0.0.1(1) streaming 0/3", Roles.WalSenders)]
    public void A_process_of_a_stock_primary_has_the_role_of_its_title(string commandLine, string role) => Assert.Equal(role, Roles.OfStockPrimary(commandLine));
}
