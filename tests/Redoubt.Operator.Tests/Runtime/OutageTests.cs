using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Redoubt.TestCluster;
using Redoubt.TestCluster.Api;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>An API server that is away for longer than a Lease lasts: both operator processes live on, and one leads again within seconds.</summary>
public sealed class OutageTests
{
    [Theory]
    [InlineData(Outage.Gone)]
    [InlineData(Outage.HalfOpen)]
    public async Task No_process_ends_and_one_leads_again_at_once(Outage outage)
    {
        await using var harness = await OperatorHarness.StartAsync(withOperator: false);
        var kubeconfig = Path.GetTempFileName();
        await File.WriteAllTextAsync(kubeconfig, harness.Server.Kubeconfig());
        var ports = new[] { FreePort(), FreePort() };
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(2) };
        using var first = Start(kubeconfig, ports[0], "first");
        using var second = Start(kubeconfig, ports[1], "second");
        try
        {
            await harness.UntilAsync(() => Leaders() == 1, () => "one leads");
            harness.Server.Faults.Outage = outage;
            harness.Registry.Store.DropWatches();
            harness.Node.Reconnect();
            await harness.UntilAsync(() => Leaders() == 0, () => "none leads");
            await Task.Delay(TimeSpan.FromSeconds(8)); // the outage
            harness.Apply("{storage: {copies: 1}}");
            Assert.False(first.HasExited || second.HasExited);
            harness.Server.Faults.Outage = null;
            var back = Stopwatch.StartNew();
            await harness.UntilAsync(() => harness.Registry.TryGet(BuiltInTypes.Pods, "default", "demo-storage-0") is not null, () => "an operator works");
            Assert.InRange(back.Elapsed.TotalSeconds, 0, 10);
            Assert.Equal(1, Leaders());
            Assert.False(first.HasExited || second.HasExited);
        }
        finally
        {
            foreach (var process in (Process[])[first, second])
            {
                if (!process.HasExited)
                {
                    process.Kill();
                }
            }

            File.Delete(kubeconfig);
        }

        int Leaders() => ports.Count(p => Metrics(p).Contains("\nredoubt_operator_leader 1", StringComparison.Ordinal));

        string Metrics(int port)
        {
            try
            {
                return http.GetStringAsync($"http://127.0.0.1:{port}/metrics").GetAwaiter().GetResult();
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
            {
                return ""; // it has not started yet
            }
        }
    }

    private static Process Start(string kubeconfig, int port, string name)
    {
        var process = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "Redoubt.Operator.dll")])
        {
            RedirectStandardError = true,
            Environment =
            {
                ["KUBECONFIG"] = kubeconfig,
                ["REDOUBT_STORAGE_IMAGE"] = "redoubt:1",
                ["REDOUBT_COMPUTE_IMAGE_PG17"] = "redoubt-compute:1-pg17",
                ["REDOUBT_COMPUTE_IMAGE_PG18"] = "redoubt-compute:1-pg18",
                ["REDOUBT_HTTP_LISTEN"] = $"127.0.0.1:{port}",
                ["POD_NAMESPACE"] = "default",
                ["POD_NAME"] = name,
            },
        })!;
        _ = process.StandardError.ReadToEndAsync();
        return process;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
