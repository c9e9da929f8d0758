using Microsoft.Extensions.Hosting;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>Runs the controller for as long as this process leads, and ends the process when it no longer does.</summary>
public sealed class OperatorService(LeaderGuard guard, ClusterController controller, IHostApplicationLifetime lifetime) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await guard.RunAsync(controller.RunAsync, stoppingToken);
        if (!stoppingToken.IsCancellationRequested)
        {
            // Start anew with empty hands rather than lead twice.
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
    }
}
