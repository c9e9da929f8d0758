using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Redoubt.TestCluster.Api;

/// <summary>The API over HTTPS on loopback: what KubernetesClient, kubectl and helm talk to.</summary>
public sealed class ApiServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly CancellationTokenSource _stopping = new();

    private ApiServer(WebApplication app, Registry registry, HttpFrontend frontend, X509Certificate2 certificate)
    {
        _app = app;
        Registry = registry;
        Frontend = frontend;
        Address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        CertificatePem = certificate.ExportCertificatePem();
    }

    /// <summary>The semantics behind it.</summary>
    public Registry Registry { get; }

    /// <summary>Tokens and RBAC.</summary>
    public Authorizer Authorizer => Frontend.Authorizer;

    /// <summary>Injected faults.</summary>
    public Faults Faults => Frontend.Faults;

    internal HttpFrontend Frontend { get; }

    /// <summary><c>https://127.0.0.1:port</c>.</summary>
    public Uri Address { get; }

    /// <summary>The certificate that clients trust.</summary>
    public string CertificatePem { get; }

    /// <summary>Starts a server with an empty cluster on a free port.</summary>
    public static async Task<ApiServer> StartAsync()
    {
        var registry = new Registry();
        var frontend = new HttpFrontend(registry);
        var certificate = MakeCertificate();
        var builder = WebApplication.CreateSlimBuilder(["--hostBuilder:reloadConfigOnChange=false"]); // inotify has few watchers
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k =>
        {
            k.AddServerHeader = false;
            k.Limits.MaxRequestBodySize = 3 << 20;
            k.Listen(IPAddress.Loopback, 0, l => l.UseHttps(certificate));
        });
        var app = builder.Build();
        app.Run(context => frontend.HandleAsync(context));
        await app.StartAsync();
        return new ApiServer(app, registry, frontend, certificate);
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=redoubt-test-cluster", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("localhost");
        names.AddDnsName("kubernetes.default.svc");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(30));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null);
    }

    /// <summary>A kubeconfig file's text for a token; the administrator's when it is null.</summary>
    public string Kubeconfig(string? token = null, string ns = "default") => $"""
        apiVersion: v1
        kind: Config
        clusters:
        - name: test
          cluster:
            server: {Address.ToString().TrimEnd('/')}
            certificate-authority-data: {Convert.ToBase64String(Encoding.ASCII.GetBytes(CertificatePem))}
        contexts:
        - name: test
          context:
            cluster: test
            user: test
            namespace: {ns}
        current-context: test
        users:
        - name: test
          user:
            token: {token ?? Authorizer.AdminToken}

        """;

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        Registry.Store.DropWatches();
        await _stopping.CancelAsync();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _app.StopAsync(deadline.Token);
        await _app.DisposeAsync();
        _stopping.Dispose();
    }
}
