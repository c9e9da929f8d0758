using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Grpc.Core;

namespace Redoubt.Storage.Hosting;

/// <summary>Asks every request on the gRPC port for the shared secret, before anything of its body is read.</summary>
internal sealed class GrpcAuthentication(RequestDelegate next, StorageOptions options, Refusals refusals)
{
    private readonly byte[] _expected = Encoding.UTF8.GetBytes("Bearer " + options.Secret);

    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<GrpcAdmission>() is not { } admission)
        {
            return next(context); // the HTTP port
        }

        if (options.Secret.Length > 0
            && !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(context.Request.Headers.Authorization.ToString()), _expected))
        {
            return Refuse(context, StatusCode.Unauthenticated, Refusals.Secret);
        }

        return admission.TryAdmit() ? next(context) : Refuse(context, StatusCode.ResourceExhausted, Refusals.Full);
    }

    /// <summary>Answers as gRPC does when there is nothing but a status.</summary>
    private Task Refuse(HttpContext context, StatusCode status, string reason)
    {
        refusals.Add(reason);
        context.Response.ContentType = "application/grpc";
        context.Response.Headers["grpc-status"] = ((int)status).ToString(CultureInfo.InvariantCulture);
        context.Response.Headers["grpc-message"] = Refusals.Sentence(reason);
        return Task.CompletedTask;
    }
}
