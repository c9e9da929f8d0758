using Microsoft.Extensions.Hosting;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>Runs the controller whenever this process leads.</summary>
public sealed class OperatorService(LeaderGuard guard, ClusterController controller) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => guard.RunAsync(controller.RunAsync, stoppingToken);
}
