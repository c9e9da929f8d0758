using System.Net;
using System.Net.Sockets;
using Redoubt.Storage.LogFiles;

namespace Redoubt.Storage.Tests;

public sealed class StartupTests
{
    [Theory]
    [InlineData("REDOUBT_VOLUME", "x", "UUID")]
    [InlineData("REDOUBT_VOLUME", null, "REDOUBT_VOLUME")]
    [InlineData("REDOUBT_COPIES", "5", "5 copies")]
    [InlineData("REDOUBT_READ_QUORUM", "1", "unsafe")]
    [InlineData("REDOUBT_INDEX", "3", "0 to 2")]
    [InlineData("REDOUBT_LISTEN", "nonsense", "host:port")]
    [InlineData("REDOUBT_SEGMENTS", "storage-0=http://a:1", "names 1")]
    [InlineData("REDOUBT_PG_VERSION", "16", "17 to 18")]
    [InlineData("REDOUBT_SECRET_FILE", "/nonexistent/secret", "SECRET_FILE")]
    public void A_wrong_setting_is_one_clear_sentence(string key, string? value, string says)
    {
        var good = new Dictionary<string, string?>
        {
            ["REDOUBT_NAME"] = "storage-0",
            ["REDOUBT_VOLUME"] = Guid.NewGuid().ToString(),
            ["REDOUBT_DATA_DIR"] = "/tmp/none",
            ["REDOUBT_HTTP_LISTEN"] = "127.0.0.1:0",
            ["REDOUBT_LISTEN"] = "127.0.0.1:0",
            ["REDOUBT_COPIES"] = "3",
            ["REDOUBT_INDEX"] = "0",
            ["REDOUBT_SEGMENTS"] = "storage-0=http://127.0.0.1:1,storage-1=http://127.0.0.1:2,storage-2=http://127.0.0.1:3",
        };
        var options = StorageOptions.Read(["--log-file-mb", "2", "--zone=b"], k => good.GetValueOrDefault(k));
        Assert.Equal((2 << 20, "b", 2), (options.LogFileBytes, options.Zone, options.Shape.WriteQuorum));
        good[key] = value;
        var error = Assert.Throws<ConfigurationException>(() => StorageOptions.Read([], k => good.GetValueOrDefault(k)));
        Assert.Contains(says, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("", "empty")]
    [InlineData(" \n", "empty")]
    [InlineData("two\nlines", "ASCII")]
    [InlineData("ключ", "ASCII")]
    public void A_secret_file_without_a_secret_is_refused(string content, string says)
    {
        string file = Path.GetTempFileName();
        File.WriteAllText(file, content);
        Assert.Null(Protocol.SecretFile.TryRead(file, out string problem));
        Assert.Contains(says, problem, StringComparison.Ordinal);
        File.WriteAllText(file, new string('x', Protocol.SecretFile.MaxLength + 1));
        Assert.Null(Protocol.SecretFile.TryRead(file, out _));
        File.WriteAllText(file, " secret\n");
        Assert.Equal("secret", Protocol.SecretFile.TryRead(file, out problem));
        Assert.Empty(problem);
        File.Delete(file);
    }

    /// <summary>As the process of a user that may open few files: what is left when they are used up goes on, and goes on accepting afterwards.</summary>
    [Fact]
    public async Task A_process_without_descriptors_left_accepts_again_when_some_are_free()
    {
        string folder = Directory.CreateTempSubdirectory("redoubt-descriptors-").FullName;
        int[] ports = Redoubt.Cli.Local.FreePorts.Take(2);
        var start = new System.Diagnostics.ProcessStartInfo(
            "dotnet", [Path.Combine(AppContext.BaseDirectory, "Redoubt.Storage.dll")]) { RedirectStandardError = true };
        foreach (var (key, value) in new Dictionary<string, string>
        {
            ["REDOUBT_NAME"] = "storage-0",
            ["REDOUBT_VOLUME"] = Guid.NewGuid().ToString(),
            ["REDOUBT_DATA_DIR"] = folder,
            ["REDOUBT_INDEX"] = "0",
            ["REDOUBT_COPIES"] = "1",
            ["REDOUBT_PG_VERSION"] = "17",
            ["REDOUBT_LISTEN"] = $"127.0.0.1:{ports[0]}",
            ["REDOUBT_HTTP_LISTEN"] = $"127.0.0.1:{ports[1]}",
            ["REDOUBT_SEGMENTS"] = $"storage-0=http://127.0.0.1:{ports[0]}",
        })
        {
            start.Environment[key] = value;
        }

        using var process = System.Diagnostics.Process.Start(start)!;
        var said = process.StandardError.ReadToEndAsync();
        try
        {
            using var http = new HttpClient();
            var metrics = new Uri($"http://127.0.0.1:{ports[1]}/metrics");
            await TestVolume.Until(() => AnswersAsync(http, metrics), "it starts");
            await TestVolume.Until(() => IsWellAsync(ports[0]), "it is well");

            // Ten are left, and hundreds knock.
            string open = $"/proc/{process.Id}/fd";
            using (var limit = System.Diagnostics.Process.Start("prlimit", [$"--pid={process.Id}", $"--nofile={Directory.GetFiles(open).Length + 10}"]))
            {
                await limit.WaitForExitAsync();
                Assert.Equal(0, limit.ExitCode);
            }

            var crowd = new List<Socket>();
            for (int i = 0; i < 300; i++)
            {
                crowd.Add(RawStream.Connect(ports[i % 2]));
            }

            var used = process.TotalProcessorTime;
            await Task.Delay(TimeSpan.FromSeconds(2));
            process.Refresh();
            Assert.InRange((process.TotalProcessorTime - used).TotalSeconds, 0, 1.5);
            Assert.False(process.HasExited);
            crowd.ForEach(s => s.Dispose());
            await TestVolume.Until(() => AnswersAsync(http, metrics), "it answers again");
            await TestVolume.Until(() => IsWellAsync(ports[0]), "it is well");
            Assert.False(process.HasExited);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
            Directory.Delete(folder, recursive: true);
        }

        Assert.Contains("no connection can be accepted now", await said, StringComparison.Ordinal);

        static async Task<bool> IsWellAsync(int port)
        {
            using var channel = Grpc.Net.Client.GrpcChannel.ForAddress($"http://127.0.0.1:{port}");
            var state = await new Redoubt.Protocol.V1.SegmentService.SegmentServiceClient(channel).GetProcessStateAsync(new());
            return state.Segments.Count == 1 && state.Segments[0].Joined;
        }

        static async Task<bool> AnswersAsync(HttpClient http, Uri uri)
        {
            try
            {
                return (await http.GetAsync(uri)).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task A_data_directory_in_use_is_refused()
    {
        await using var volume = await TestVolume.StartAsync(1);
        var error = await Assert.ThrowsAsync<LogFormatException>(() => StorageServer.StartAsync(volume.Options(0)));
        Assert.Contains("in use", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_is_refused()
    {
        await using var volume = await TestVolume.StartAsync(1);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var options = volume.Options(0) with { DataDir = volume.DataDir(0) + "-other", Listen = (IPEndPoint)listener.LocalEndpoint };
        var error = await Assert.ThrowsAnyAsync<IOException>(() => StorageServer.StartAsync(options));
        Assert.Contains("in use", error.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Anothers_newer_and_damaged_directories_are_refused()
    {
        await using var volume = await TestVolume.StartAsync(1);
        await using (var writer = new TestWriter(volume, 1))
        {
            await writer.OpenAsync([0]);
        }

        await volume.StopAsync(0);
        await Refused(volume.Options(0) with { Volume = Guid.NewGuid().ToString("D") }, "belongs to volume");
        string file = Path.Combine(volume.DataDir(0), "group-0", "segment");
        byte[] good = await File.ReadAllBytesAsync(file);
        await File.WriteAllTextAsync(file, "redoubt-segment 99 00000000\n{}");
        await Refused(volume.Options(0), "newer");
        byte[] damaged = [.. good];
        damaged[^5] ^= 1;
        await File.WriteAllBytesAsync(file, damaged);
        await Refused(volume.Options(0), "damaged");
        File.Delete(file);
        await Refused(volume.Options(0), "promised");
        await File.WriteAllBytesAsync(file, good);
        await volume.StartAsync(0);
        Assert.Equal(1UL, (await volume.StateAsync(0)).Epoch);

        static async Task Refused(StorageOptions options, string says)
        {
            var error = await Assert.ThrowsAsync<LogFormatException>(() => StorageServer.StartAsync(options));
            Assert.Contains(says, error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_partitioned_copy_catches_up_when_it_is_healed()
    {
        await using var volume = await TestVolume.StartAsync(3, change: o => o with { Drills = true });
        using var http = new HttpClient();
        await using var writer = new TestWriter(volume, 1);
        await writer.OpenAsync([0, 1, 2]);
        await writer.SendAsync([0, 1, 2], writer.Frame([1]));
        await writer.UntilAcked([0, 1, 2], writer.End);
        (await http.PostAsync(new Uri(volume.Server(2).HttpEndpoint, "drill/partition"), null)).EnsureSuccessStatusCode();
        await writer.Ended(2);
        await writer.SendAsync([0, 1], writer.Frame([2]));
        await writer.UntilAcked([0, 1], writer.End);
        await Assert.ThrowsAsync<Grpc.Core.RpcException>(() => volume.StateAsync(2));
        Assert.Contains("\"group\":0", await http.GetStringAsync(new Uri(volume.Server(2).HttpEndpoint, "status")), StringComparison.Ordinal);
        (await http.PostAsync(new Uri(volume.Server(2).HttpEndpoint, "drill/heal"), null)).EnsureSuccessStatusCode();
        await TestVolume.Until(async () => (await volume.StateAsync(2)).Scl == writer.End, "caught up");
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri(volume.Server(2).HttpEndpoint, "readyz"))).StatusCode);
    }
}
