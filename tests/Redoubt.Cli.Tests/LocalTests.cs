using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Redoubt.Cli.Local;

namespace Redoubt.Cli.Tests;

/// <summary>The supervisor's tools.</summary>
public sealed class LocalTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("redoubt-local-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_port_in_use_gives_the_next_free_one()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        Assert.InRange(FreePorts.From(port), port + 1, port + 99);
    }

    [Fact]
    public async Task Kill_takes_the_whole_tree_even_children_in_sessions_of_their_own()
    {
        string pids = Path.Combine(_folder, "pids");
        using var shell = Process.Start("/bin/sh", ["-c", $"setsid sh -c 'echo $$ >> {pids}; sleep 600' & sh -c 'echo $$ >> {pids}; sleep 600; true' & wait"])!;
        var end = DateTime.UtcNow.AddSeconds(30);
        while (!File.Exists(pids) || (await File.ReadAllLinesAsync(pids)).Length < 2)
        {
            Assert.True(DateTime.UtcNow < end);
            await Task.Delay(10);
        }

        ProcessTree.Kill(shell.Id);
        Assert.All(await File.ReadAllLinesAsync(pids), pid => Assert.False(ProcessTree.IsAlive(int.Parse(pid, System.Globalization.CultureInfo.InvariantCulture))));
    }

    [Fact]
    public void Corruption_changes_exactly_the_bytes_it_says()
    {
        string file = Path.Combine(_folder, "000001.log");
        byte[] before = new byte[100_000];
        Random.Shared.NextBytes(before);
        File.WriteAllBytes(file, before);
        Assert.StartsWith("flipped a bit in 24 bytes", Corruption.Flip(_folder, 24), StringComparison.Ordinal);
        byte[] after = File.ReadAllBytes(file);
        Assert.Equal(24, before.Zip(after).Count(pair => pair.First != pair.Second));
    }

    [Fact]
    public void The_cluster_file_comes_back_as_it_was_written()
    {
        string file = Path.Combine(_folder, "cluster.json");
        var spec = new ClusterSpec { Name = "a", Volume = Guid.NewGuid(), Copies = 3, Groups = 2, Port = 6000, Parameters = new Dictionary<string, string> { ["work_mem"] = "1MB" }, AppDatabase = "app" };
        spec.Save(file);
        var read = ClusterSpec.Load(file)!;
        Assert.Equal(spec.Parameters, read.Parameters);
        Assert.Equal(spec with { Parameters = read.Parameters }, read);
    }

    [Theory]
    [InlineData(6, 4, 3)]
    [InlineData(3, 2, 2)]
    [InlineData(1, 1, 1)]
    public void Quorums_always_meet(int copies, int write, int read)
    {
        var spec = new ClusterSpec { Name = "a", Volume = Guid.Empty, Copies = copies };
        Assert.Equal((write, read), (spec.WriteQuorum, spec.ReadQuorum));
    }

    [Fact]
    public void A_socket_name_too_long_for_the_kernel_moves_to_the_temporary_folder()
    {
        Assert.StartsWith(Path.GetTempPath(), new ClusterPaths("/" + new string('x', 150)).ControlSocket, StringComparison.Ordinal);
        Assert.Equal("/short/control.sock", new ClusterPaths("/short").ControlSocket);
    }
}
