using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;
using Redoubt.Protocol;
using Redoubt.Protocol.Sockets;
using Redoubt.Storage.Hosting;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage;

/// <summary>One whole storage process: segments, gRPC and HTTP. Also hosted in process by tests.</summary>
public sealed class StorageServer : IAsyncDisposable
{
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(2);
    private const int MaxHttpConnections = 64;
    private const int MaxHeaderBytes = 8 << 10;

    /// <summary>Of calls with one request, such as keys of pages or a history of truncations; streams have no end of their own.</summary>
    private const int MaxUnaryBytes = 4 << 20;

    private readonly WebApplication _app;
    private readonly SegmentHost _host;

    private readonly StreamServer _streams;

    private StorageServer(WebApplication app, SegmentHost host, StreamServer streams, StorageMetrics metrics)
    {
        _app = app;
        _host = host;
        _streams = streams;
        Metrics = metrics;
    }

    internal SegmentHost Host => _host;

    internal StreamServer Streams => _streams;

    public StorageMetrics Metrics { get; }

    /// <summary>Where gRPC listens.</summary>
    public Uri GrpcEndpoint { get; private set; } = null!;

    /// <summary>Where HTTP listens.</summary>
    public Uri HttpEndpoint { get; private set; } = null!;

    /// <summary>Opens the data directory and starts listening.</summary>
    /// <exception cref="ConfigurationException">The configuration does not fit the volume.</exception>
    /// <exception cref="LogFiles.LogFormatException">The data directory cannot be used.</exception>
    /// <exception cref="IOException">A port is in use, or the disk fails.</exception>
    public static async Task<StorageServer> StartAsync(StorageOptions options, CancellationToken cancellation = default)
    {
        // Nothing but what is named here: the usual builders read appsettings.json and watch the working directory, with all below it, for changes.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseKestrelCore();
        ConfigureLogging(builder.Logging, options);
        var metrics = new StorageMetrics();
        var drills = new DrillState();
        builder.Services.AddSingleton(options).AddSingleton(drills).AddSingleton(metrics);

        // Streams of log have no end of their own, and what is durable is acknowledged: nothing is worth waiting for.
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = StopTimeout);
        builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = LogFrame.MaxLength + (1 << 20);
            grpc.MaxSendMessageSize = null; // a prepared transaction's state may be as long as a record
            grpc.Interceptors.Add<GuardInterceptor>();
            grpc.IgnoreUnknownServices = false;
        });
        builder.Services.AddSingleton<GuardInterceptor>();
        if (options.OtlpEndpoint is { } otlp)
        {
            builder.Services.AddOpenTelemetry()
                .ConfigureResource(r => r.AddService(options.Name))
                .WithTracing(t => t.AddSource(StorageTracing.Name).AddOtlpExporter(o => o.Endpoint = otlp));
        }

        int descriptors = PortLimits.Descriptors();
        var limits = PortLimits.Of(options, descriptors);
        var served = new ServedConnections(limits.Connections, metrics);
        StreamServer? streams = null;
        builder.Services.AddSingleton(s => new Refusals(metrics, s.GetRequiredService<ILoggerFactory>().CreateLogger("Redoubt.Storage")));
        builder.Services.AddSingleton<IConnectionListenerFactory>(
            s => new PortListenerFactory(() => streams!, limits, s.GetRequiredService<Refusals>(), s.GetRequiredService<ILoggerFactory>()));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.Http2.InitialStreamWindowSize = 4 << 20;
            kestrel.Limits.Http2.InitialConnectionWindowSize = 16 << 20;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 1000;
            kestrel.Limits.Http2.MaxRequestHeaderFieldSize = MaxHeaderBytes;
            kestrel.Limits.MaxRequestHeadersTotalSize = 2 * MaxHeaderBytes;
            kestrel.Limits.MaxRequestHeaderCount = 50;
            kestrel.Limits.MaxRequestBodySize = MaxUnaryBytes;
            kestrel.Limits.RequestHeadersTimeout = options.HelloTimeout;
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(10);
            kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(new SegmentEndPoint(options.Listen), listen => listen.Protocols = HttpProtocols.Http2);
            kestrel.Listen(options.HttpListen, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                var places = new ConnectionPlaces(MaxHttpConnections);
                listen.Use(next => async connection =>
                {
                    using var place = places.Enter(connection.Abort, out bool gaveWay);
                    if (gaveWay)
                    {
                        metrics.Refused(Refusals.Crowded);
                    }

                    await next(connection).ConfigureAwait(false);
                });
            });
        });

        SegmentHost? host = null;
        builder.Services.AddSingleton(_ => host!);
        var app = builder.Build();
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Redoubt.Storage");
        if (limits.Connections < options.MaxConnections)
        {
            logger.FewDescriptors(descriptors, limits.Connections);
        }

        try
        {
            host = new SegmentHost(options, metrics, drills, logger);
            streams = new StreamServer(options, drills, served, () => host!, logger);
            var refusals = app.Services.GetRequiredService<Refusals>();
            app.Use(next => new GrpcAuthentication(next, options, refusals).InvokeAsync);
            app.MapGrpcService<SegmentGrpcService>();
            StatusEndpoints.Map(app, host, metrics, options, logger);
            await app.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch
        {
            host?.Dispose();
            await app.DisposeAsync().ConfigureAwait(false);
            throw;
        }

        app.Lifetime.ApplicationStopping.Register(host.DropStreams);
        host.Start();
        var server = new StorageServer(app, host, streams, metrics);
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.ToArray();
        server.GrpcEndpoint = new Uri(addresses[0]);
        server.HttpEndpoint = new Uri(addresses[1]);
        logger.Started(options.Name, options.Zone, options.Index, options.Volume, addresses[0], addresses[1]);
        return server;
    }

    /// <summary>Completes when the process is asked to stop.</summary>
    public Task WaitForShutdownAsync() => _app.WaitForShutdownAsync();

    public async ValueTask DisposeAsync()
    {
        using (var soon = new CancellationTokenSource(StopTimeout))
        {
            await _app.StopAsync(soon.Token).ConfigureAwait(false);
        }

        _host.Dispose();
        _streams.Stop();
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    private static void ConfigureLogging(ILoggingBuilder logging, StorageOptions options)
    {
        logging.SetMinimumLevel(LogLevel.Information);
        logging.AddFilter("Microsoft", LogLevel.Warning);

        // A port in use is told in one sentence by Program.
        logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        logging.AddFilter("Grpc", LogLevel.Critical);
        logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Critical);
        if (options.JsonLogs)
        {
            logging.AddJsonConsole(o => o.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ");
        }
        else
        {
            logging.AddSimpleConsole(o =>
            {
                o.SingleLine = true;
                o.TimestampFormat = "HH:mm:ss.fff ";
            });
        }

        logging.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
            o => o.LogToStandardErrorThreshold = LogLevel.Trace);
    }
}
