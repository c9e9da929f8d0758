using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>The operator as a process: configuration, endpoints, an ordered stop.</summary>
public sealed class ProcessTests
{
    [Theory]
    [InlineData("REDOUBT_STORAGE_IMAGE", "", "REDOUBT_STORAGE_IMAGE is not set; write an image")]
    [InlineData("REDOUBT_HTTP_LISTEN", "here", "REDOUBT_HTTP_LISTEN is 'here'; write an address and a port")]
    [InlineData("REDOUBT_LEADER_ELECTION", "perhaps", "REDOUBT_LEADER_ELECTION is 'perhaps'; write true or false")]
    public async Task A_wrong_setting_is_one_sentence_and_exit_status_2(string name, string value, string sentence)
    {
        using var process = Start("/nowhere", 1, (name, value));
        var errors = await process.StandardError.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(30));
        await process.WaitForExitAsync();
        Assert.Equal(2, process.ExitCode);
        Assert.StartsWith(sentence, errors, StringComparison.Ordinal);
        Assert.Single(errors.Trim().Split('\n'));
    }

    [Fact]
    public async Task It_leads_answers_and_gives_the_lease_back_when_it_is_told_to_stop()
    {
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        var kubeconfig = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(kubeconfig, harness.Server.Kubeconfig());
            var port = FreePort();
            using var process = Start(kubeconfig, port, ("POD_NAMESPACE", "default"), ("POD_NAME", "tested"));
            _ = process.StandardError.ReadToEndAsync();
            try
            {
                harness.Apply("{storage: {copies: 1}}");
                await harness.UntilAsync(() => harness.Registry.TryGet(BuiltInTypes.Pods, "default", "demo-storage-0") is not null, () => "the operator works");
                using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
                Assert.Equal("ok", await http.GetStringAsync("/healthz"));
                Assert.Equal(HttpStatusCode.OK, (await http.GetAsync("/readyz")).StatusCode);
                var metrics = "";
                await harness.UntilAsync(
                    () => (metrics = http.GetStringAsync("/metrics").GetAwaiter().GetResult()).Contains("redoubt_cluster_ready{", StringComparison.Ordinal), () => "the cluster is measured");
                foreach (var name in (string[])["redoubt_operator_leader 1", "redoubt_operator_reconciles_total{result=\"ok\"}", "redoubt_cluster_ready{namespace=\"default\",name=\"demo\"}", "redoubt_operator_api_requests_total{verb=\"apply\"}"])
                {
                    Assert.Contains(name, metrics, StringComparison.Ordinal);
                }

                using var kill = Process.Start("kill", ["-TERM", process.Id.ToString()]);
                await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(30));
                Assert.Equal(0, process.ExitCode);
                Assert.Equal("", Redoubt.TestCluster.Json.Text(harness.Registry.Get(BuiltInTypes.Leases, "default", "redoubt-operator"), "spec", "holderIdentity") ?? "");
            }
            finally
            {
                if (!process.HasExited)
                {
                    process.Kill();
                }
            }
        }
        finally
        {
            File.Delete(kubeconfig);
        }
    }

    private static Process Start(string kubeconfig, int port, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Redoubt.Operator.dll")])
        {
            RedirectStandardError = true,
            Environment =
            {
                ["KUBECONFIG"] = kubeconfig,
                ["REDOUBT_STORAGE_IMAGE"] = "redoubt:1",
                ["REDOUBT_COMPUTE_IMAGE_PG17"] = "redoubt-compute:1-pg17",
                ["REDOUBT_COMPUTE_IMAGE_PG18"] = "redoubt-compute:1-pg18",
                ["REDOUBT_HTTP_LISTEN"] = $"127.0.0.1:{port}",
            },
        };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
