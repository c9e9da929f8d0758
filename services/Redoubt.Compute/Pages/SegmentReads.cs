using Grpc.Core;
using Redoubt.Compute.Volume;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>
/// Reads over gRPC: asks one segment that is complete for the read point, the one that has been quickest; a second one when the first is
/// slow; others when it fails; and waits, rather than failing, while none can serve. No answer is never a page.
/// </summary>
public sealed class SegmentReads(IReadTargets targets, int timeoutMs, PageMetrics metrics)
{
    private static readonly TimeSpan AttemptTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(20);

    /// <summary>The epoch that requests carry.</summary>
    public ulong Epoch => targets.Epoch;

    /// <summary>Gets an answer from one of a group's segments, at <see cref="IReadTargets.ReadPoint"/>.</summary>
    /// <param name="group">The group.</param>
    /// <param name="what">What is asked for, for people.</param>
    /// <param name="ask">Asks one segment at a read point; may throw <see cref="RpcException"/> or <see cref="PageUnavailableException"/>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="PageUnavailableException">Nobody could serve it in time.</exception>
    public async Task<T> GetAsync<T>(
        int group, string what, Func<GrpcSegment, ulong, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
        where T : class
    {
        long deadline = Environment.TickCount64 + timeoutMs;
        string last = "no segment is connected";
        while (true)
        {
            ulong readPoint = targets.ReadPoint(group);
            var candidates = targets.Candidates(group, readPoint);
            if (candidates.Count > 0)
            {
                var (answer, error) = await AskAsync(candidates, (segment, token) => ask(segment, readPoint, token), cancellationToken).ConfigureAwait(false);
                if (answer is not null)
                {
                    return answer;
                }

                last = error;
            }

            if (Environment.TickCount64 >= deadline)
            {
                throw new PageUnavailableException($"group {group}: no segment served {what} at {new Lsn(readPoint)} within {timeoutMs} ms: {last}");
            }

            metrics.Retries.Inc();
            await Task.Delay(RetryDelay, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<(T? Answer, string Error)> AskAsync<T>(
        List<ReadTarget> candidates, Func<GrpcSegment, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
        where T : class
    {
        using var attempt = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        attempt.CancelAfter(AttemptTimeout);
        var calls = new List<Task<T>>(Hedging.MostAtOnce);
        var givenUp = new List<Task<T>>();
        string error = string.Empty;
        int next = 0;
        try
        {
            while (true)
            {
                if (calls.Count == 0)
                {
                    if (next == candidates.Count)
                    {
                        return (null, error);
                    }

                    calls.Add(AskOneAsync(candidates[next++], ask, attempt.Token));
                }

                if (next < candidates.Count)
                {
                    using var enough = CancellationTokenSource.CreateLinkedTokenSource(attempt.Token);
                    var pause = Task.Delay(Hedging.Patience(candidates[next - 1].Latency, calls.Count), enough.Token);
                    bool slow = await Task.WhenAny([.. calls, pause]).ConfigureAwait(false) == pause && !attempt.IsCancellationRequested;
                    await enough.CancelAsync().ConfigureAwait(false);
                    if (slow)
                    {
                        metrics.Hedges.Inc();
                        if (calls.Count == Hedging.MostAtOnce)
                        {
                            givenUp.Add(calls[0]);
                            calls.RemoveAt(0);
                        }

                        calls.Add(AskOneAsync(candidates[next++], ask, attempt.Token));
                        continue;
                    }
                }

                var done = await Task.WhenAny(calls).ConfigureAwait(false);
                try
                {
                    return (await done.ConfigureAwait(false), error);
                }
                catch (Exception e) when (e is RpcException or PageUnavailableException or OperationCanceledException)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    error = e is RpcException rpc ? rpc.Status.Detail : e.Message;
                    calls.Remove(done);
                }
            }
        }
        finally
        {
            await attempt.CancelAsync().ConfigureAwait(false);
            foreach (var call in calls.Concat(givenUp))
            {
                _ = call.ContinueWith(static t => t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            }
        }
    }

    private static async Task<T> AskOneAsync<T>(
        ReadTarget whom, Func<GrpcSegment, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        long began = whom.Latency.Begin();
        bool answered = false;
        try
        {
            var answer = await ask(whom.Segment, cancellationToken).ConfigureAwait(false);
            answered = true;
            return answer;
        }
        catch (RpcException) when (cancellationToken.IsCancellationRequested)
        {
            answered = true; // not its fault: another one was quicker
            throw;
        }
        finally
        {
            whom.Latency.End(began, answered);
        }
    }
}
