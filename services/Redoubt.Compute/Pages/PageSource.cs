using System.Diagnostics;
using System.Net.Sockets;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>
/// Gets pages of one group from storage, on the calling thread: asks one segment that is complete for the read point, the one that has been quickest; a second
/// one when the first is slow; others when it fails; and waits, rather than failing, while none can serve. No answer is never a page.
/// </summary>
public sealed class PageSource(IReadTargets targets, int timeoutMs, PageMetrics metrics) : IDisposable
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
        var asked = new List<Question>(Hedging.MostAtOnce);
        int next = 0;
        while (true)
        {
            if (asked.Count == 0)
            {
                if (next == candidates.Count)
                {
                    return false;
                }

                Ask(asked, candidates[next++], readPoint, keys, ref error);
                continue;
            }

            long now = Environment.TickCount64;
            bool mayHedge = next < candidates.Count;
            long hedgeAt = asked[^1].AskedAt + (long)Hedging.Patience(asked[^1].Target.Latency, asked.Count).TotalMilliseconds;
            long until = Math.Min(giveUp, asked.Min(q => q.ConnectBy));
            until = mayHedge ? Math.Min(until, hedgeAt) : until;
            if (Wait(asked, (int)Math.Max(0, until - now)) is { } ready)
            {
                if (ready.Connection.IsConnecting ? !TryConnect(asked, ready, ref error) : !TryReceive(asked, ready, pages, ref error))
                {
                    continue;
                }

                // The other ones are not at fault: this one was quicker.
                asked.ForEach(q => Drop(q, answered: true));
                return true;
            }

            now = Environment.TickCount64;
            foreach (var question in asked.Where(q => q.ConnectBy <= now).ToArray())
            {
                error = $"{question.Target.Segment.Name}: no connection within {PageConnection.ConnectTimeoutMs} ms";
                asked.Remove(question);
                Drop(question, answered: false);
            }

            if (now >= giveUp)
            {
                error = "no answer in time";
                asked.ForEach(q => Drop(q, answered: false));
                return false;
            }

            if (mayHedge && asked.Count > 0 && now >= hedgeAt)
            {
                if (asked.Count == Hedging.MostAtOnce)
                {
                    Drop(asked[0], answered: false);
                    asked.RemoveAt(0);
                }

                metrics.Hedges.Inc();
                Ask(asked, candidates[next++], readPoint, keys, ref error);
            }
        }
    }

    private void Ask(List<Question> asked, in ReadTarget target, ulong readPoint, ReadOnlySpan<byte> keys, ref string error)
    {
        long began = target.Latency.Begin();
        PageConnection? connection = null;
        try
        {
            connection = _connections.Rent(target.Segment, targets.Epoch);
            connection.Ask(targets.Epoch, readPoint, keys, Activity.Current?.Context ?? default);
            long now = Environment.TickCount64;
            asked.Add(new Question(target, connection, began, now) { ConnectBy = connection.IsConnecting ? now + PageConnection.ConnectTimeoutMs : long.MaxValue });
        }
        catch (SocketException e)
        {
            error = $"{target.Segment.Name}: {e.Message}";
            connection?.Dispose();
            target.Latency.End(began, answered: false);
        }
    }

    private static Question? Wait(List<Question> asked, int timeoutMs)
    {
        Span<PollFd> polled = stackalloc PollFd[Hedging.MostAtOnce];
        for (int i = 0; i < asked.Count; i++)
        {
            polled[i] = new PollFd
            {
                Fd = asked[i].Connection.Descriptor,
                Events = asked[i].Connection.IsConnecting ? NativePoll.Writable : NativePoll.Readable,
            };
        }

        NativePoll.Wait(polled[..asked.Count], timeoutMs);
        for (int i = 0; i < asked.Count; i++)
        {
            if (polled[i].Returned != 0)
            {
                return asked[i];
            }
        }

        return null;
    }

    /// <summary>Goes on connecting; never the end of a read.</summary>
    private static bool TryConnect(List<Question> asked, Question question, ref string error)
    {
        try
        {
            if (question.Connection.TryConnect())
            {
                question.ConnectBy = long.MaxValue;
            }
        }
        catch (SocketException e)
        {
            error = $"{question.Target.Segment.Name}: {e.Message}";
            asked.Remove(question);
            question.Target.Latency.End(question.Began, answered: false);
            question.Connection.Dispose();
        }

        return false;
    }

    private bool TryReceive(List<Question> asked, Question question, Span<byte> pages, ref string error)
    {
        bool broken = true, answered = false;
        asked.Remove(question);
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
    private void Drop(Question question, bool answered)
    {
        question.Target.Latency.End(question.Began, answered);
        if (question.Connection.IsConnecting)
        {
            question.Connection.Dispose();
        }
        else
        {
            _connections.Return(question.Target.Segment, question.Connection);
        }
    }

    /// <summary>A request under way.</summary>
    private sealed record Question(ReadTarget Target, PageConnection Connection, long Began, long AskedAt)
    {
        /// <summary>It is given up when it is not connected by then.</summary>
        public required long ConnectBy { get; set; }
    }
}
