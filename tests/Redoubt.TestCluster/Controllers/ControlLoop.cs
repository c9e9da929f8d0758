using Redoubt.TestCluster.Api;

namespace Redoubt.TestCluster.Controllers;

/// <summary>
/// Runs a reconcile pass whenever an object of one of its resources has changed. A pass reads the whole state it needs: clusters here are
/// small. Conflicts and vanished objects are left to the next pass.
/// </summary>
internal sealed class ControlLoop : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _run;

    /// <param name="registry">Whose objects.</param>
    /// <param name="concerns">Whether a change of this resource calls for a pass.</param>
    /// <param name="reconcile">The pass.</param>
    /// <param name="failed">Told of faults in it.</param>
    public ControlLoop(Registry registry, Func<string, bool> concerns, Action reconcile, Action<Exception> failed) =>
        _run = Task.Run(() => RunAsync(registry, concerns, reconcile, failed));

    private async Task RunAsync(Registry registry, Func<string, bool> concerns, Action reconcile, Action<Exception> failed)
    {
        while (!_stop.IsCancellationRequested)
        {
            using var subscription = registry.Store.Subscribe(null, null);
            var due = true;
            while (true)
            {
                if (due)
                {
                    try
                    {
                        reconcile();
                    }
                    catch (ApiException e) when (e.Code is 403 or 404 or 409)
                    {
                        // another writer came first: its write is the next event
                    }
                    catch (Exception e) when (e is not OperationCanceledException)
                    {
                        failed(e);
                    }
                    due = false;
                }
                try
                {
                    if (!await subscription.Events.WaitToReadAsync(_stop.Token))
                    {
                        break; // watches were dropped: subscribe again
                    }
                    await Task.Delay(5, _stop.Token); // gather what comes together
                }
                catch (OperationCanceledException)
                {
                    return;
                }
                while (subscription.Events.TryRead(out var e))
                {
                    due |= concerns(e.Resource);
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _run;
        _stop.Dispose();
    }
}
