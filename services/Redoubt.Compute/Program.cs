using System.Net;
using System.Runtime.InteropServices;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Prometheus;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Http;
using Redoubt.Compute.Runtime;

ComputeOptions options;
OsAccount account;
try
{
    options = ComputeOptions.From(EnvironmentSource.Build(args));
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

builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(ParseEndpoint(options.HttpListen)));
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
int exitStatus = await agent.RunAsync(stop.Token);
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
    var address = host is "" or "*" or "0.0.0.0" ? IPAddress.Any : host == "localhost" ? IPAddress.Loopback : IPAddress.Parse(host);
    return new IPEndPoint(address, int.Parse(text[(colon + 1)..], System.Globalization.CultureInfo.InvariantCulture));
}
