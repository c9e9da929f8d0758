using System.Buffers.Binary;
using System.Text.Json;
using Redoubt.Cli.Bench;
using Redoubt.Cli.Bench.Usage;
using Redoubt.Cli.Local;

namespace Redoubt.Cli.Tests.Bench;

/// <summary>The arithmetic of benchmarks and what they say of it.</summary>
public sealed class FiguresTests
{
    private static readonly DiskProbe Disk = new(110, 220);

    [Fact]
    public void Latencies_are_those_of_the_nearest_rank()
    {
        Assert.Equal(new LatencyFigures(200, 100, 198, 200), LatencyFigures.Of([.. Enumerable.Range(1, 200).Reverse().Select(i => (double)i)]));
        Assert.Equal(new LatencyFigures(1, 7, 7, 7), LatencyFigures.Of([7]));
        Assert.Equal(default, LatencyFigures.Of([]));
    }

    [Fact]
    public void Turns_add_up_and_figures_are_for_one_transaction()
    {
        var both = Turn(busy: 3, idle: 1) + Turn(busy: 3, idle: 1) with { SystemCalls = null };
        Assert.Equal(1000, both.Tps);
        Assert.Equal(500, both.CpuUs(Roles.Backends));
        Assert.Equal(750, both.CpuUs(Roles.Backends, Roles.Agent, Roles.WalSenders));
        Assert.Null(both.CpuUs(Roles.WalSenders));
        Assert.Equal(4, both.Switches(Roles.Agent));
        Assert.Equal(0.5, both.Rounds);
        Assert.Equal(0.75, both.Machine.BusyShare);
        Assert.Equal(2 * (3 - 1.75), both.OthersCpuSeconds);
        Assert.Equal(20, both.SystemCalls![Roles.Agent]);
        Assert.Equal(6, both.Waits["IO:WalSync"]);
    }

    [Fact]
    public void Busy_processors_bound_a_row()
    {
        string says = CommitVerdict.Of("16 clients, Redoubt", 16, Turn(busy: 3.8, idle: 0.2), Disk);
        Assert.StartsWith("16 clients, Redoubt: bound by the processors, 95% busy (51% by others", says, StringComparison.Ordinal);
        Assert.Contains("they have 2,000 us for a transaction", says, StringComparison.Ordinal);
        Assert.Contains("compute 875 us for one (backends 500, agent 250, pgbench 125)", says, StringComparison.Ordinal);
        Assert.Contains("it takes its client 16,000 us; sessions: IO:WalSync 75%, running or ready to run 25%.", says, StringComparison.Ordinal);
    }

    [Fact]
    public void Idle_processors_mean_that_a_row_waits()
    {
        string says = CommitVerdict.Of("1 client, Redoubt", 1, Turn(busy: 1.75, idle: 2.25), Disk);
        Assert.StartsWith("1 client, Redoubt: bound by waiting, processors 44% busy; ", says, StringComparison.Ordinal);
        Assert.EndsWith("one fdatasync takes 110 us alone, 220 beside those of the other copies; 0.5 rounds a transaction.", says, StringComparison.Ordinal);
    }

    [Fact]
    public void The_shares_of_a_recovery_are_all_of_it()
    {
        var shares = RecoveryShares.Of(1000, 50, new Dictionary<string, double> { ["open"] = 300, ["postgres"] = 200, ["total"] = 510 }).ToList();
        Assert.Equal([("open", 300), ("postgres", 200), ("first commit", 50), ("kill, start of the agent, waits between", 440)], shares);
        Assert.Equal(650, RecoveryShares.Of(1000, 50, new Dictionary<string, double> { ["open"] = 300 }).Last().Ms);
    }

    [Fact]
    public void The_report_has_the_fields_of_the_contract_and_parts_beside()
    {
        var report = new BenchReport("commit");
        report.Add("1 client", "tps", 1500, 1000, "stock");
        CommitParts.Add(report, "1 client", Turn(busy: 3, idle: 1), Turn(busy: 3, idle: 1) with
        {
            Roles = new Dictionary<string, RoleUsage> { [Roles.Backends] = new(2, 1), [Roles.WalReceivers] = new(1, 1), [Roles.StandbyStartups] = new(0.5, 1) },
        });
        var rows = JsonDocument.Parse(JsonSerializer.Serialize(report, ClusterSpec.Json)).RootElement.GetProperty("rows").EnumerateArray().ToList();
        JsonElement Row(string name, string unit) => rows.Single(r => r.GetProperty("name").GetString() == name && r.GetProperty("unit").GetString() == unit);
        Assert.Equal(("tps", 1.5, "stock"), (rows[0].GetProperty("unit").GetString(), rows[0].GetProperty("ratio").GetDouble(), rows[0].GetProperty("peerName").GetString()));
        var storage = Row("1 client: processor: storage | standbys", "us/transaction");
        Assert.Equal(750, storage.GetProperty("peer").GetDouble());
        Assert.False(storage.TryGetProperty("redoubt", out _));
        var all = Row("1 client: processor: all of that together", "us/transaction");
        Assert.Equal((750, 1750), (all.GetProperty("redoubt").GetDouble(), all.GetProperty("peer").GetDouble()));
        Assert.Equal("1 client", all.GetProperty("of").GetString());
        Assert.Equal(250, Row("1 client: processor:   standbys: startup (redo)", "us/transaction").GetProperty("peer").GetDouble());
        Assert.Equal(40, Row("1 client: system calls of agent + storage | walsenders + standbys", "per round").GetProperty("redoubt").GetDouble());
    }

    [Fact]
    public void Rows_for_COPY_have_the_layout_of_its_binary_format()
    {
        Assert.Equal("PGCOPY\n\u00ff\r\n\0", System.Text.Encoding.Latin1.GetString(CopyRows.Header.Span[..11]));
        Assert.Equal(19, CopyRows.Header.Length);
        var rows = new CopyRows();
        var keys = new HashSet<long>();
        for (int buffer = 0, id = 0; buffer < 3; buffer++)
        {
            var made = rows.Next().Span;
            Assert.Equal(0, made.Length % CopyRows.RowBytes);
            for (; made.Length > 0; made = made[CopyRows.RowBytes..], id++)
            {
                Assert.Equal(3, BinaryPrimitives.ReadInt16BigEndian(made));
                Assert.Equal((8, id), (BinaryPrimitives.ReadInt32BigEndian(made[2..]), BinaryPrimitives.ReadInt64BigEndian(made[6..])));
                Assert.Equal(8, BinaryPrimitives.ReadInt32BigEndian(made[14..]));
                Assert.True(keys.Add(BinaryPrimitives.ReadInt64BigEndian(made[18..])));
                Assert.Equal(CopyRows.RowBytes - 30, BinaryPrimitives.ReadInt32BigEndian(made[26..]));
                Assert.DoesNotContain((byte)0, made[30..CopyRows.RowBytes].ToArray());
            }
        }

        Assert.Equal([0xFF, 0xFF], CopyRows.Trailer.ToArray());
    }

    /// <summary>Two seconds of two processors, 2,000 transactions.</summary>
    private static TurnFigures Turn(double busy, double idle) => new()
    {
        Seconds = 2,
        Transactions = 2000,
        Roles = new Dictionary<string, RoleUsage> { [Roles.Backends] = new(1, 20_000), [Roles.Agent] = new(0.5, 8000), [Roles.PgBench] = new(0.25, 2000) },
        Machine = new MachineTime(busy, idle),
        Counters = new SideCounters(1000, 6_000_000),
        Waits = new Dictionary<string, double> { ["IO:WalSync"] = 3, [WaitSampler.Runs] = 1 },
        SystemCalls = new Dictionary<string, double> { [Roles.Agent] = 20 },
    };
}
