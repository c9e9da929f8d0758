using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Redoubt.Cli.Local;
using Spectre.Console;

namespace Redoubt.Cli.Bench;

/// <summary>Figures of Redoubt and its comparator, side by side.</summary>
/// <param name="Bench">Which benchmark.</param>
internal sealed record BenchReport(string Bench)
{
    /// <summary>One comparison.</summary>
    /// <param name="Name">What was measured.</param>
    /// <param name="Unit">tps, bytes, ms.</param>
    /// <param name="Redoubt">Redoubt's figure; null where only the comparator has one.</param>
    /// <param name="Peer">The comparator's; null where it has none.</param>
    /// <param name="PeerName">What the comparator was.</param>
    /// <param name="Ratio">Redoubt's figure over the comparator's.</param>
    /// <param name="Of">The comparison that this one explains, when it is a part of one.</param>
    /// <param name="Part">Which part.</param>
    internal sealed record Row(string Name, string Unit, double? Redoubt, double? Peer, string? PeerName, double? Ratio, string? Of = null, string? Part = null);

    /// <summary>Processor, cores, memory.</summary>
    public string Machine { get; } = DescribeMachine();

    /// <summary>The comparisons.</summary>
    public List<Row> Rows { get; } = [];

    /// <summary>What a reader of the figures should know.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>Adds a comparison.</summary>
    public void Add(string name, string unit, double redoubt, double? peer = null, string? peerName = null) =>
        Rows.Add(new Row(name, unit, Rounded(redoubt), Rounded(peer), peerName, Ratio(redoubt, peer)));

    /// <summary>Adds a part of a comparison: people see it in a second table, a column for each comparison.</summary>
    public void AddPart(string of, string part, string unit, double? redoubt, double? peer, string? peerName = null) =>
        Rows.Add(new Row($"{of}: {part}", unit, Rounded(redoubt), Rounded(peer), peerName, Ratio(redoubt, peer), of, part));

    /// <summary>Prints it: one JSON document, or a table.</summary>
    public void Print(bool json)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(this, ClusterSpec.Json));
            return;
        }

        var table = new Table().RoundedBorder().Title(Markup.Escape($"bench {Bench} on {Machine}"));
        table.AddColumns(new TableColumn("what"), new TableColumn("unit"), new TableColumn("Redoubt").RightAligned(), new TableColumn("peer").RightAligned());
        table.AddColumns(new TableColumn("ratio").RightAligned(), new TableColumn("peer is"));
        foreach (var row in Rows.Where(r => r.Of is null))
        {
            table.AddRow(Markup.Escape(row.Name), row.Unit, Show(row.Redoubt), Show(row.Peer), row.Ratio is { } ratio ? $"{ratio:0.00}x" : "", Markup.Escape(row.PeerName ?? ""));
        }

        AnsiConsole.Write(table);
        if (Parts() is { } parts)
        {
            AnsiConsole.Write(parts);
        }

        Notes.ForEach(Console.WriteLine);
    }

    /// <summary>The parts, a line each, "Redoubt | peer" below the comparison they are parts of; null when there are none.</summary>
    private Table? Parts()
    {
        var parts = Rows.Where(r => r.Of is not null).ToList();
        if (parts.Count == 0)
        {
            return null;
        }

        var comparisons = parts.Select(r => r.Of!).Distinct().ToList();
        var table = new Table().RoundedBorder().Title("Redoubt | peer");
        table.AddColumns("of that", "unit");
        comparisons.ForEach(of => table.AddColumn(new TableColumn(Markup.Escape(of)).RightAligned()));
        foreach (var line in parts.GroupBy(r => (r.Part, r.Unit)))
        {
            var cells = comparisons.Select(of => line.FirstOrDefault(r => r.Of == of) is { } row ? $"{Show(row.Redoubt)} | {Show(row.Peer)}" : "");
            table.AddRow([Markup.Escape(line.Key.Part!), line.Key.Unit, .. cells]);
        }

        return table;
    }

    private static double? Rounded(double? value) => value is { } v ? Math.Round(v, 3) : null;

    private static double? Ratio(double? redoubt, double? peer) => redoubt is { } r && peer is > 0 ? Math.Round(r / peer.Value, 3) : null;

    private static string Show(double? value) => value is not { } v ? "-" : v.ToString(v >= 1000 ? "N0" : v >= 100 ? "0" : "0.##", CultureInfo.InvariantCulture);

    private static string DescribeMachine()
    {
        string cpu = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
        return $"{cpu}, {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GiB";
    }
}
