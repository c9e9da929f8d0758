using System.Diagnostics;
using System.Globalization;
using Redoubt.Compute.Shipping;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// Ships a cleanly shut down data directory as import entries at LSNs 1, 2, 3 … (docs/decisions/0003): databases, fork sizes, pages that are not all
/// zero, small files, and last the counters of pg_control.
/// </summary>
public sealed class Importer(VolumeWriter writer, PgVersion version, GroupRouter router)
{
    private static readonly string[] Slrus = ["pg_xact", "pg_multixact/offsets", "pg_multixact/members", "pg_commit_ts"];

    private readonly ImportItemWriter _items = new();
    private readonly ImportItemWriter[] _pages = [.. Enumerable.Range(0, router.Groups).Select(_ => new ImportItemWriter())];
    private readonly byte[] _page = new byte[PageRedo.PageSize];
    private ulong _end;

    /// <summary>Imports everything and waits until it is durable on a write quorum of every group.</summary>
    /// <returns>The counters from which the first checkpoint is made.</returns>
    public async Task<ControlState> ImportAsync(string data, CancellationToken cancellationToken)
    {
        var control = ControlState.FromControlFile(version, await File.ReadAllBytesAsync(Path.Combine(data, "global/pg_control"), cancellationToken).ConfigureAwait(false));
        await Task.Run(() => Send(data, control, cancellationToken), cancellationToken).ConfigureAwait(false);
        await writer.WhenDurableAsync(new Lsn(_end)).WaitAsync(cancellationToken).ConfigureAwait(false);
        return control;
    }

    private void Send(string data, ControlState control, CancellationToken cancellationToken)
    {
        var sizes = new SortedDictionary<PageKey, uint>();
        var files = new List<(string Path, PageKey First)>();
        Collect(data, "global", DataPath.GlobalSpace, 0, sizes, files);
        foreach (string folder in Directory.GetDirectories(Path.Combine(data, "base")).Order(StringComparer.Ordinal))
        {
            uint db = uint.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture);
            Add(router.All, _items.Database(db, DataPath.DefaultSpace));
            Collect(data, $"base/{db}", DataPath.DefaultSpace, db, sizes, files);
        }

        foreach (string slru in Slrus)
        {
            foreach (string file in Directory.GetFiles(Path.Combine(data, slru)).Order(StringComparer.Ordinal))
            {
                if (DataPath.TryParse($"{slru}/{Path.GetFileName(file)}", out var first))
                {
                    Note(file, first, sizes, files);
                }
            }
        }

        foreach (var (fork, blocks) in sizes)
        {
            Add(fork.IsSlru ? 1 : router.All, _items.ForkSize(fork.Rel, fork.Fork, blocks));
        }

        foreach (var (path, first) in files)
        {
            SendPages(path, first, cancellationToken);
        }

        for (int g = 0; g < _pages.Length; g++)
        {
            FlushPages(g, cancellationToken);
        }

        Add(1, _items.File("PG_VERSION", File.ReadAllBytes(Path.Combine(data, "PG_VERSION"))));
        Add(1, _items.Control(control.Encode()));
        writer.Ship();
    }

    private void Collect(
        string data, string folder, uint spc, uint db, SortedDictionary<PageKey, uint> sizes, List<(string Path, PageKey First)> files)
    {
        foreach (string file in Directory.GetFiles(Path.Combine(data, folder)).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(file);
            if (DataPath.TryRelationFile(name, spc, db, out var first))
            {
                Note(file, first, sizes, files);
            }
            else if (name is "PG_VERSION" or "pg_filenode.map")
            {
                Add(1, _items.File($"{folder}/{name}", File.ReadAllBytes(file)));
            }
        }
    }

    private static void Note(string file, in PageKey first, SortedDictionary<PageKey, uint> sizes, List<(string Path, PageKey First)> files)
    {
        uint end = first.Block + (uint)(new FileInfo(file).Length / PageRedo.PageSize);
        var fork = first with { Block = 0 };
        sizes[fork] = Math.Max(sizes.GetValueOrDefault(fork), end);
        files.Add((file, first));
    }

    private void SendPages(string path, PageKey key, CancellationToken cancellationToken)
    {
        using var file = File.OpenHandle(path);
        for (long offset = 0; RandomAccess.Read(file, _page, offset) == _page.Length; offset += _page.Length, key = key with { Block = key.Block + 1 })
        {
            if (_page.AsSpan().IndexOfAnyExcept((byte)0) < 0)
            {
                continue;
            }

            int g = router.GroupOf(key);
            _pages[g].AddPage(key, _page);
            if (_pages[g].IsFull)
            {
                FlushPages(g, cancellationToken);
            }
        }
    }

    private void FlushPages(int group, CancellationToken cancellationToken)
    {
        if (_pages[group].PageCount > 0)
        {
            Add(1UL << group, _pages[group].FinishPages());
            writer.Ship();
            writer.WaitForRoom(cancellationToken);
        }
    }

    private void Add(ulong mask, ReadOnlyMemory<byte> item)
    {
        ulong start = _end++;
        writer.Add(LogEntryKind.Import, new Lsn(start), new Lsn(_end), mask, item.Span, Stopwatch.GetTimestamp());
    }
}
