using System.Diagnostics;
using System.Net.Sockets;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>
/// Gets pages of one group from storage, on the calling thread: asks one segment that is complete for the read point, the one that has been quickest; a second
/// one when the first is slow; others when it fails; and waits, rather than failing, while none can serve. No answer is never a page.
/// </summary>
public sealed class PageSource(ReadTargets targets, int timeoutMs, PageMetrics metrics) : IDisposable
{
    private const int AttemptTimeoutMs = 10_000;
    private const int RetryDelayMs = 20;
    private readonly PageConnections _connections = new();
    private readonly ManualResetEventSlim _stopping = new();

    /// <summary>Reads pages, zeros for one without a version.</summary>
    /// <param name="group">The group that holds them all.</param>
    /// <param name="keys">Their keys, <see cref="PageKey.Write"/> after <see cref="PageKey.Write"/>.</param>
    /// <param name="pages">Gets them, 8192 bytes each.</param>
    /// <exception cref="PageUnavailableException">Nobody could serve them in time.</exception>
    public void Get(int group, ReadOnlySpan<byte> keys, Span<byte> pages)
    {
        long deadline = Environment.TickCount64 + timeoutMs;
        string last = "no segment is connected";
        while (true)
        {
            ulong readPoint = targets.ReadPoint(group);
            var candidates = targets.Candidates(group, readPoint);
            if (candidates.Count > 0 && TryGet(candidates, readPoint, keys, pages, ref last))
            {
                return;
            }

            if (Environment.TickCount64 >= deadline || _stopping.IsSet)
            {
                throw new PageUnavailableException(
                    $"group {group}: no segment served {keys.Length / PageKey.EncodedLength} page(s) at {new Lsn(readPoint)} within {timeoutMs} ms: {last}");
            }

            metrics.Retries.Inc();
            _stopping.Wait(RetryDelayMs);
        }
    }

    /// <summary>Ends reads that wait for a segment that can serve, and closes what is not in use.</summary>
    public void Dispose()
    {
        _stopping.Set();
        _connections.Dispose();
    }

    private bool TryGet(List<ReadTarget> candidates, ulong readPoint, ReadOnlySpan<byte> keys, Span<byte> pages, ref string error)
    {
        long giveUp = Environment.TickCount64 + AttemptTimeoutMs;
        Question? first = null, second = null;
        int next = 0;
        while (true)
        {
            if (first is null)
            {
                (first, second) = (second, null);
            }

            if (first is null)
            {
                if (next == candidates.Count)
                {
                    return false;
                }

                first = Ask(candidates[next++], readPoint, keys, ref error);
                continue;
            }

            bool mayHedge = second is null && next < candidates.Count;
            int wait = (int)Math.Max(0, giveUp - Environment.TickCount64);
            wait = mayHedge ? Math.Min(wait, (int)ReadTargets.Patience(first.Target.Latency).TotalMilliseconds) : wait;
            var ready = Wait(first, second, wait);
            if (ready is null && mayHedge && Environment.TickCount64 < giveUp)
            {
                metrics.Hedges.Inc();
                second = Ask(candidates[next++], readPoint, keys, ref error);
                continue;
            }

            if (ready is null)
            {
                error = "no answer in time";
                Drop(first, answered: false);
                Drop(second, answered: false);
                return false;
            }

            if (TryReceive(ready, pages, ref error))
            {
                // The other one is not at fault: this one was quicker.
                Drop(ready == first ? second : first, answered: true);
                return true;
            }

            (first, second) = (ready == first ? null : first, ready == first ? second : null);
        }
    }

    private Question? Ask(in ReadTarget target, ulong readPoint, ReadOnlySpan<byte> keys, ref string error)
    {
        long began = target.Latency.Begin();
        PageConnection? connection = null;
        try
        {
            connection = _connections.Rent(target.Segment, targets.Epoch);
            connection.Ask(targets.Epoch, readPoint, keys, Activity.Current?.Context ?? default);
            return new Question(target, connection, began);
        }
        catch (SocketException e)
        {
            error = $"{target.Segment.Name}: {e.Message}";
            connection?.Dispose();
            target.Latency.End(began, answered: false);
            return null;
        }
    }

    private static Question? Wait(Question first, Question? second, int timeoutMs)
    {
        Span<PollFd> polled = stackalloc PollFd[2];
        polled[0] = new PollFd { Fd = first.Connection.Descriptor, Events = NativePoll.Readable };
        polled[1] = new PollFd { Fd = second?.Connection.Descriptor ?? -1, Events = NativePoll.Readable };
        NativePoll.Wait(polled[..(second is null ? 1 : 2)], timeoutMs);
        return polled[0].Returned != 0 ? first : polled[1].Returned != 0 ? second : null;
    }

    private bool TryReceive(Question question, Span<byte> pages, ref string error)
    {
        bool broken = true, answered = false;
        try
        {
            question.Connection.Receive(pages);
            (broken, answered) = (false, true);
            return true;
        }
        catch (PageUnavailableException e)
        {
            broken = false;
            error = $"{question.Target.Segment.Name}: {e.Message}";
            return false;
        }
        catch (SocketException e)
        {
            error = $"{question.Target.Segment.Name}: {e.Message}";
            return false;
        }
        finally
        {
            question.Target.Latency.End(question.Began, answered);
            if (broken)
            {
                question.Connection.Dispose();
            }
            else
            {
                _connections.Return(question.Target.Segment, question.Connection);
            }
        }
    }

    /// <summary>Its answer is not waited for any more; the connection's next user throws it away.</summary>
    private void Drop(Question? question, bool answered)
    {
        if (question is not null)
        {
            question.Target.Latency.End(question.Began, answered);
            _connections.Return(question.Target.Segment, question.Connection);
        }
    }

    /// <summary>A request under way.</summary>
    private sealed record Question(ReadTarget Target, PageConnection Connection, long Began);
}
