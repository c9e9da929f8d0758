using System.Net;
using k8s;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Trace;
using Prometheus;
using Redoubt.Operator;
using Redoubt.Operator.Reconcile;
using Redoubt.Operator.Runtime;

if (args is ["uninstall", .. var words])
{
    return await Uninstall.RunAsync(words, Console.Out, Console.Error);
}

// Settings come from the environment; files are not watched: the working directory may be the root of everything.
var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
{
    ContentRootPath = AppContext.BaseDirectory,
    Args = ["--hostBuilder:reloadConfigOnChange=false"],
});
builder.Configuration.AddEnvironmentVariables();
OperatorOptions options;
IPEndPoint? listen;
KubernetesClientConfiguration config;
try
{
    options = OperatorOptions.From(builder.Configuration);
    // The port comes after the last colon, also where the address is IPv6 and has no brackets, as $(POD_IP):8080 makes it.
    var colon = options.HttpListen.LastIndexOf(':');
    listen = colon > 0 && IPAddress.TryParse(options.HttpListen.AsSpan(0, colon).Trim("[]"), out var address)
        && ushort.TryParse(options.HttpListen.AsSpan(colon + 1), out var port) ? new IPEndPoint(address, port) : null;
    if (listen is null)
    {
        throw new InvalidOperationException($"REDOUBT_HTTP_LISTEN is '{options.HttpListen}'; write an address and a port, for example 0.0.0.0:8080.");
    }

    config = KubernetesClientConfiguration.BuildDefaultConfig();
}
catch (Exception e) when (e is InvalidOperationException or k8s.Exceptions.KubeConfigException)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 2;
}

builder.Logging.ClearProviders();
if (builder.Configuration["REDOUBT_LOG_FORMAT"] == "json")
{
    builder.Logging.AddJsonConsole(o => o.TimestampFormat = "O");
}
else
{
    builder.Logging.AddSimpleConsole(o => (o.SingleLine, o.TimestampFormat) = (true, "HH:mm:ss.fff "));
}

builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(o => o.LogToStandardErrorThreshold = LogLevel.Trace);
builder.WebHost.ConfigureKestrel(o => o.Listen(listen));

var registry = Metrics.NewCustomRegistry();
DotNetStats.Register(registry);
var metrics = new OperatorMetrics(registry);
using var client = new Kubernetes(config);
builder.Services.AddSingleton(options).AddSingleton(metrics).AddSingleton(client).AddSingleton(new KubeApi(client, metrics)).AddSingleton(TimeProvider.System);
builder.Services.AddSingleton<ClusterController>();
builder.Services.AddSingleton(s => new LeaderGuard(client, options, metrics, s.GetRequiredService<ILoggerFactory>().CreateLogger("Redoubt.Operator")));
builder.Services.AddHostedService<OperatorService>();
if (!string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
{
    builder.Services.AddOpenTelemetry().WithTracing(t => t.AddSource(ClusterReconciler.Tracing.Name).AddOtlpExporter());
}

var app = builder.Build();
var controller = app.Services.GetRequiredService<ClusterController>();
app.MapGet("/healthz", () => "ok");

// A follower is ready to take over; a leader is ready once its caches are filled.
app.MapGet("/readyz", () => metrics.Leader.Value == 0 || controller.IsRunning ? Results.Ok("ok") : Results.StatusCode(503));
app.MapMetrics("/metrics", registry);
await app.RunAsync();
return Environment.ExitCode;
