using System.Collections.Concurrent;
using Redoubt.Protocol.Sockets;
using Redoubt.Wal;

namespace Redoubt.Compute.Pages;

/// <summary>Fetches pages ahead on a few threads of its own. What does not fit its queue is not fetched ahead.</summary>
public sealed class Prefetcher : IDisposable
{
    private const int Threads = 8;
    private readonly PageFetcher _fetcher;
    private readonly BlockingCollection<(PageKey First, int Count)> _queue = new(Threads);
    private int _started;

    private readonly ILogger _logger;
    private bool _failed;

    public Prefetcher(PageFetcher fetcher, ILogger logger) => (_fetcher, _logger) = (fetcher, logger);

    /// <summary>Asks for consecutive pages to be fetched ahead.</summary>
    public void Add(PageKey first, int count)
    {
        if (_queue.IsAddingCompleted)
        {
            return; // its connection outlived the server
        }

        if (_started < Threads && Interlocked.Increment(ref _started) <= Threads)
        {
            ConnectionThread.TryStart("prefetch", Run); // without one nothing is fetched ahead
        }

        _queue.TryAdd((first, count));
    }

    /// <summary>Lets the threads end.</summary>
    public void Dispose() => _queue.CompleteAdding();

    private void Run()
    {
        foreach (var (first, count) in _queue.GetConsumingEnumerable())
        {
            try
            {
                _fetcher.Prefetch(first, count);
            }
            catch (PageUnavailableException)
            {
                // Losing a prefetch costs time, never data.
            }
            catch (Exception e)
            {
                if (!_failed)
                {
                    _failed = true;
                    _logger.PageServerFailed(e);
                }
            }
        }
    }
}
