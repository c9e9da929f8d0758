using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Shipping;

/// <summary>One thread that waits for all segments' acknowledgements at once (poll(2)), and for room in sockets that were full, and sends heartbeats.
/// What several segments say at the same time costs one wake-up.</summary>
internal sealed class AckThread : IDisposable
{
    private const int NewStreamsAfterMs = 10;
    private const int SilenceMs = 6_000;
    private const int LaggardsMs = 5;

    private readonly SegmentStream[] _streams;
    private readonly Func<int> _beat;
    private readonly Func<bool> _awaitsQuorum;
    private readonly Action<Exception> _failed;
    private readonly Thread _thread;
    private volatile bool _stopping;

    /// <param name="streams">All streams of a writer.</param>
    /// <param name="beat">Sends heartbeats that are due; returns in how many milliseconds the next may be.</param>
    /// <param name="awaitsQuorum">True while a shipment is not on a write quorum.</param>
    /// <param name="failed">Told when this ends by an error: nothing is acknowledged any more.</param>
    public AckThread(SegmentStream[] streams, Func<int> beat, Func<bool> awaitsQuorum, Action<Exception> failed)
    {
        _streams = streams;
        _beat = beat;
        _awaitsQuorum = awaitsQuorum;
        _failed = failed;
        _thread = new Thread(Run) { Name = "acks", IsBackground = true };
        _thread.Start();
    }

    public void Dispose()
    {
        _stopping = true;
        if (Thread.CurrentThread != _thread)
        {
            _thread.Join();
        }
    }

    private void Run()
    {
        try
        {
            Listen();
        }
        catch (Exception e)
        {
            _failed(e);
        }
    }

    private void Listen()
    {
        var polled = new PollFd[_streams.Length];
        var which = new SegmentStream[_streams.Length];
        int patience = 0;
        bool waited = false;
        while (!_stopping)
        {
            int count = 0;
            bool all = true;

            // What the last copies say of a shipment that is on a write quorum already can wait for what comes next, or for a moment.
            bool withoutLaggards = !waited && !_awaitsQuorum();
            foreach (var stream in _streams)
            {
                if (stream.TryGetPoll(out int fd, out bool wantsRoom))
                {
                    if (withoutLaggards && !wantsRoom && stream.OwesAcknowledgement)
                    {
                        waited = true;
                        continue;
                    }

                    polled[count] = new PollFd { Fd = fd, Events = (short)(NativePoll.Readable | (wantsRoom ? NativePoll.Writable : 0)) };
                    which[count++] = stream;
                }
                else
                {
                    all = false;
                }
            }

            // A socket that fills up while this thread waits is noticed at the next turn.
            patience = !all ? Math.Min(patience, NewStreamsAfterMs) : waited && withoutLaggards ? Math.Min(patience, LaggardsMs) : patience;
            int ready = NativePoll.Wait(polled.AsSpan(0, count), patience);
            waited &= ready == 0;
            for (int i = 0; i < count && ready > 0; i++)
            {
                if (polled[i].Returned == 0)
                {
                    continue;
                }

                if ((polled[i].Returned & ~NativePoll.Writable) != 0)
                {
                    which[i].ReadAcks();
                }

                if ((polled[i].Returned & NativePoll.Writable) != 0)
                {
                    which[i].HasRoom();
                }
            }

            patience = _beat();
            long now = Environment.TickCount64;
            foreach (var stream in _streams)
            {
                stream.BreakIfSilentSince(now - SilenceMs);
            }
        }
    }
}
