using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Prometheus;
using Redoubt.Compute;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Http;
using Redoubt.Compute.Runtime;
using Redoubt.Protocol.Processes;

LastResort.Install("redoubt-compute");
ComputeOptions options;
IPEndPoint httpListen;
OsAccount account;
try
{
    options = ComputeOptions.From(EnvironmentSource.Build(args));
    httpListen = ParseEndpoint(options.HttpListen);
    account = OsAccount.ForPostgres(options.OsUser);
}
catch (ConfigurationException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 2;
}

// Acknowledgements must not wait for the thread pool to grow.
ThreadPool.SetMinThreads(16, 16);
var status = new AgentStatus();
var metrics = new AgentMetrics(Metrics.DefaultRegistry, status);

// Nothing but what is named here: the usual builders read appsettings.json and watch the working directory, with all below it, for changes.
var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
builder.WebHost.UseKestrelCore();
builder.Services.AddRoutingCore();
builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
if (Environment.GetEnvironmentVariable("REDOUBT_LOG_FORMAT") == "json")
{
    builder.Logging.AddJsonConsole(o => o.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ").AddConsole(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
}
else
{
    builder.Logging.AddSimpleConsole(o =>
    {
        o.SingleLine = true;
        o.TimestampFormat = "yyyy-MM-dd HH:mm:ss.fff ";
        o.UseUtcTimestamp = true;
    }).AddConsole(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
}

builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT")))
{
    builder.Services.AddOpenTelemetry()
        .ConfigureResource(r => r.AddService("redoubt-compute", serviceInstanceId: options.Name))
        .WithTracing(t => t.AddSource(Tracing.SourceName).AddOtlpExporter());
}

builder.WebHost.ConfigureKestrel(kestrel => StatusPort.Configure(kestrel, httpListen));
await using var app = builder.Build();
app.MapMetrics();
app.MapStatus(options.Name, status, metrics);
var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Redoubt.Compute");
try
{
    await app.StartAsync();
}
catch (IOException e)
{
    await Console.Error.WriteLineAsync($"Cannot listen on REDOUBT_HTTP_LISTEN={options.HttpListen}: {e.Message}");
    return 1;
}

using var stop = new CancellationTokenSource();
var agent = new PrimaryAgent(options, account, metrics, status, logger);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
{
    context.Cancel = true;
    _ = agent.ReloadAsync(stop.Token);
});

_ = new ConfigurationWatch(options, status, agent.ReloadAsync).RunAsync(stop.Token);
int exitStatus;
try
{
    exitStatus = await agent.RunAsync(stop.Token);
}
catch (Exception e)
{
    status.Set("failed", $"an error that nobody expected: {e.Message}");
    logger.Unexpected(e);
    exitStatus = 1;
}

await app.StopAsync(new CancellationTokenSource(TimeSpan.FromSeconds(1)).Token);
return exitStatus;

void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}

static IPEndPoint ParseEndpoint(string text)
{
    int colon = text.LastIndexOf(':');
    string host = text[..colon].Trim('[', ']');
    host = host is "" or "*" ? "0.0.0.0" : host == "localhost" ? "127.0.0.1" : host;
    return IPAddress.TryParse(host, out var address) && ushort.TryParse(text[(colon + 1)..], CultureInfo.InvariantCulture, out ushort port)
        ? new IPEndPoint(address, port)
        : throw new ConfigurationException($"REDOUBT_HTTP_LISTEN is '{text}'; write an address and a port, such as 127.0.0.1:8080.");
}
