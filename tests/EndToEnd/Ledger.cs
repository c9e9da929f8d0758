using System.Collections.Concurrent;
using System.Diagnostics;
using Npgsql;

namespace Redoubt.EndToEnd;

/// <summary>
/// Clients that insert numbers while a test breaks things, and remember which commits were acknowledged. A commit whose answer never came
/// may be there or not; one that was acknowledged must be there.
/// </summary>
internal sealed class Ledger : IAsyncDisposable
{
    private readonly Database _database;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<(long Id, TimeSpan At)> _acknowledged = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly string _table = $"ledger_{Guid.NewGuid():N}";
    private readonly List<Task> _clients = [];
    private long _next;

    private Ledger(Database database) => _database = database;

    /// <summary>Commits acknowledged so far.</summary>
    public int Count => _acknowledged.Count;

    /// <summary>Starts the clients.</summary>
    public static async Task<Ledger> StartAsync(Database database, int clients = 3)
    {
        var ledger = new Ledger(database);
        await database.SqlAsync($"create table {ledger._table} (id bigint primary key, filler text)");
        ledger._clients.AddRange(Enumerable.Range(0, clients).Select(_ => Task.Run(ledger.RunAsync)));
        await ledger.AdvancesAsync(TimeSpan.FromSeconds(30));
        return ledger;
    }

    private async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using var connection = await _database.ConnectAsync();
                while (!_stop.IsCancellationRequested)
                {
                    var id = Interlocked.Increment(ref _next);
                    await using var command = new NpgsqlCommand($"insert into {_table} values ({id}, repeat('x', 200))", connection);
                    await command.ExecuteNonQueryAsync();
                    _acknowledged.Enqueue((id, _clock.Elapsed));
                    await Task.Delay(5);
                }
            }
            catch (Exception e) when (e is NpgsqlException or k8s.Autorest.HttpOperationException or HttpRequestException or IOException or TimeoutException or InvalidOperationException)
            {
                await Task.Delay(50); // the database is being broken: try again
            }
        }
    }

    /// <summary>Waits until commits that start from now on are acknowledged.</summary>
    public async Task AdvancesAsync(TimeSpan limit)
    {
        var before = Count;
        await Wait.UntilAsync(() => Task.FromResult(Count >= before + 5), limit, async () => $"commits go on ({Count} so far); now:\n{await _database.StoryAsync()}");
    }

    /// <summary>Time from a moment to the first acknowledgement after it that has had no other in the gap before.</summary>
    public async Task<TimeSpan> OutageAfterAsync(Func<Task> breakIt, TimeSpan limit)
    {
        var at = _clock.Elapsed;
        await breakIt();
        // Answers on their way when it broke are not the next commit: it is the first after the longest gap since.
        await Wait.UntilAsync(() =>
        {
            var since = _acknowledged.Where(a => a.At > at).Select(a => a.At).ToList();
            return Task.FromResult(since.Count > 20 && since[^1] - at > TimeSpan.FromMilliseconds(300) && Gap(since, at).Length > TimeSpan.FromMilliseconds(100));
        }, limit, async () => $"commits go on; now:\n{await _database.StoryAsync()}");
        var gap = Gap([.. _acknowledged.Where(a => a.At > at).Select(a => a.At)], at);
        return gap.End - at;
    }

    private static (TimeSpan Length, TimeSpan End) Gap(List<TimeSpan> times, TimeSpan from)
    {
        var sorted = times.Order().Prepend(from).ToList();
        return sorted.Zip(sorted.Skip(1)).Select(p => (p.Second - p.First, p.Second)).Max();
    }

    /// <summary>Stops the clients and checks that every acknowledged commit is there.</summary>
    public async Task NothingIsLostAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
        var there = new HashSet<long>();
        await using (var connection = await _database.ConnectPatientlyAsync())
        await using (var command = new NpgsqlCommand($"select id from {_table}", connection))
        await using (var reader = await command.ExecuteReaderAsync())
        {
            while (await reader.ReadAsync())
            {
                there.Add(reader.GetInt64(0));
            }
        }
        var lost = _acknowledged.Select(a => a.Id).Where(id => !there.Contains(id)).ToList();
        Assert.True(lost.Count == 0, $"{lost.Count} of {Count} acknowledged commits are lost: {string.Join(", ", lost.Take(20))}");
        Assert.True(Count > 0);
        await _database.SqlAsync($"drop table {_table}");
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await Task.WhenAll(_clients);
        _stop.Dispose();
    }
}
