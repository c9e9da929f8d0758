using System.Diagnostics;
using Grpc.Core;
using Npgsql;
using Redoubt.Cli.Local;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Verify;
using Redoubt.Wal;

namespace Redoubt.Cli.Verify;

/// <summary>
/// Compares what is stored: page checksums of all complete copies at one LSN, storage's pages with the pages that PostgreSQL has on its
/// own disk, and amcheck over every table and B-tree of every database. Works on a cluster in use; then each group is compared at an LSN
/// that all its copies have reached, and local pages that change meanwhile are looked at again.
/// </summary>
internal sealed class ClusterVerifier : IDisposable
{
    private static readonly TimeSpan QuietDeadline = TimeSpan.FromSeconds(15);
    private readonly ClusterStatus _status;
    private readonly SegmentId[] _groups;
    private readonly List<StorageClient> _storage;
    private readonly string _connectionString;
    private readonly Action<string> _say;

    /// <param name="status">Of a running cluster.</param>
    /// <param name="spec">What it is.</param>
    /// <param name="secret">Shared secret of its processes.</param>
    /// <param name="say">Gets a line for every difference and every step.</param>
    public ClusterVerifier(ClusterStatus status, ClusterSpec spec, string secret, Action<string> say)
    {
        _status = status;
        _say = say;
        _groups = [.. Enumerable.Range(0, status.Groups).Select(g => new SegmentId { Volume = spec.Volume.ToString(), Group = (uint)g })];
        _storage = [.. status.Processes.Where(p => p.Role == "storage" && p.Pid is not null).Select(p => new StorageClient(p.Name, p.Endpoint!, secret))];
        _connectionString = LocalDatabase.ConnectionString(status);
    }

    /// <summary>Pages whose copies were compared, local pages included.</summary>
    public long PagesCompared { get; private set; }

    /// <summary>Pages that differ.</summary>
    public long Mismatches { get; private set; }

    /// <summary>Complaints of amcheck.</summary>
    public long AmcheckErrors { get; private set; }

    /// <summary>Where the copies of group 0 were compared.</summary>
    public Lsn At { get; private set; }

    /// <summary>Compares everything.</summary>
    public async Task RunAsync(CancellationToken cancellation)
    {
        await ExecuteAsync("CHECKPOINT", cancellation);
        var points = new GroupPoint[_groups.Length];
        for (int group = 0; group < _groups.Length; group++)
        {
            points[group] = await FindPointAsync(group, cancellation);
            await CompareCopiesAsync(group, points[group], cancellation);
        }

        At = new Lsn(points[0].At);
        var kinds = await RelationKinds.ReadAsync(LocalConnection, cancellation);
        var local = new LocalComparison(_status.Processes.First(p => p.Role == "primary").DataDir, kinds, new GroupRouter(_groups.Length), _say);
        await local.RunAsync(FetchAsync, () => ExecuteAsync("CHECKPOINT", cancellation), cancellation);
        PagesCompared += local.Compared;
        Mismatches += local.Mismatches;
        _say($"local pages compared: {local.Compared}, not comparable (unlogged, or in use): {local.Skipped}");
        AmcheckErrors = await new AmCheck(LocalConnection, _say).RunAsync(cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _storage.ForEach(client => client.Dispose());

    /// <summary>An LSN that these copies of a group have applied.</summary>
    private sealed record GroupPoint(ulong At, ulong Epoch, List<StorageClient> Copies);

    private string LocalConnection(string database) => new NpgsqlConnectionStringBuilder(_connectionString) { Database = database }.ConnectionString;

    /// <summary>Waits a little for copies that are behind, then takes what all complete ones have applied.</summary>
    private async Task<GroupPoint> FindPointAsync(int group, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            var states = new List<(StorageClient Client, SegmentState State)>();
            foreach (var client in _storage)
            {
                try
                {
                    states.Add((client, await client.StateAsync(_groups[group], cancellation)));
                }
                catch (RpcException e) when (e.StatusCode != StatusCode.Cancelled)
                {
                    _say($"{client.Name} does not answer for group {group}: {e.Status.Detail}");
                }
            }

            var complete = states.Where(s => s.State.State == "complete").ToList();
            ulong epoch = complete.Count == 0 ? 0 : complete.Max(s => s.State.Epoch);
            complete.RemoveAll(s => s.State.Epoch != epoch);
            bool quiet = complete.Count == states.Count && complete.Count > 0 && complete.All(s => s.State.Applied == s.State.Scl && s.State.Scl == complete[0].State.Scl);
            if (quiet || clock.Elapsed > QuietDeadline)
            {
                return complete.Count > 0 ? new GroupPoint(complete.Min(s => s.State.Applied), epoch, [.. complete.Select(s => s.Client)])
                    : throw new CliException($"No copy of group {group} is complete, so nothing can be compared; see ./redoubt status");
            }

            await Task.Delay(50, cancellation);
        }
    }

    private async Task CompareCopiesAsync(int group, GroupPoint point, CancellationToken cancellation)
    {
        var copies = await Task.WhenAll(point.Copies.Select(client => client.ChecksumsAsync(_groups[group], point.Epoch, point.At, cancellation)));
        _say($"group {group} at {new Lsn(point.At)}: {copies[0].Count} pages on each of {copies.Length} copies");
        PagesCompared += copies.Sum(copy => (long)copy.Count);
        for (int i = 1; i < copies.Length; i++)
        {
            Merge(group, point.Copies[0].Name, copies[0], point.Copies[i].Name, copies[i]);
        }
    }

    private void Merge(int group, string nameA, List<(PageKey Key, uint Crc)> a, string nameB, List<(PageKey Key, uint Crc)> b)
    {
        for (int i = 0, j = 0; i < a.Count || j < b.Count;)
        {
            int order = i == a.Count ? 1 : j == b.Count ? -1 : a[i].Key.CompareTo(b[j].Key);
            if (order != 0)
            {
                Differ($"group {group}: {(order < 0 ? a[i++].Key : b[j++].Key)} exists on {(order < 0 ? nameA : nameB)} but not on {(order < 0 ? nameB : nameA)}");
            }
            else
            {
                if (a[i].Crc != b[j].Crc)
                {
                    Differ($"group {group}: {a[i].Key} differs between {nameA} and {nameB}");
                }

                i++;
                j++;
            }
        }
    }

    private void Differ(string what)
    {
        if (++Mismatches <= 20)
        {
            _say(what);
        }
    }

    /// <summary>Pages of one group as storage has them now.</summary>
    private async Task<LocalComparison.Fetched> FetchAsync(int group, IReadOnlyList<PageKey> keys, CancellationToken cancellation)
    {
        var point = await FindPointAsync(group, cancellation);
        var reply = await point.Copies[0].PagesAsync(_groups[group], point.Epoch, point.At, keys, cancellation);
        return new LocalComparison.Fetched(new Lsn(point.At), reply.Pages.Memory, reply.Found.Memory);
    }

    private async Task ExecuteAsync(string sql, CancellationToken cancellation)
    {
        await using var connection = new NpgsqlConnection(_connectionString);
        await connection.OpenAsync(cancellation);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellation);
    }
}
