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
    /// <param name="Redoubt">Redoubt's figure.</param>
    /// <param name="Peer">The comparator's; null where it has none.</param>
    /// <param name="PeerName">What the comparator was.</param>
    /// <param name="Ratio">Redoubt's figure over the comparator's.</param>
    internal sealed record Row(string Name, string Unit, double Redoubt, double? Peer, string? PeerName, double? Ratio);

    /// <summary>Processor, cores, memory.</summary>
    public string Machine { get; } = DescribeMachine();

    /// <summary>The comparisons.</summary>
    public List<Row> Rows { get; } = [];

    /// <summary>What a reader of the figures should know.</summary>
    public List<string> Notes { get; } = [];

    /// <summary>Adds a comparison.</summary>
    public void Add(string name, string unit, double redoubt, double? peer = null, string? peerName = null) => Rows.Add(new Row(
        name, unit, Math.Round(redoubt, 2), peer is { } p ? Math.Round(p, 2) : null, peerName, peer is > 0 ? Math.Round(redoubt / peer.Value, 3) : null));

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
        foreach (var row in Rows)
        {
            table.AddRow(Markup.Escape(row.Name), row.Unit, Show(row.Redoubt), row.Peer is { } peer ? Show(peer) : "", row.Ratio is { } ratio ? $"{ratio:0.00}x" : "", Markup.Escape(row.PeerName ?? ""));
        }

        AnsiConsole.Write(table);
        Notes.ForEach(Console.WriteLine);
    }

    private static string Show(double value) => value >= 1000 ? value.ToString("N0", CultureInfo.InvariantCulture) : value.ToString("0.##", CultureInfo.InvariantCulture);

    private static string DescribeMachine()
    {
        string cpu = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
        return $"{cpu}, {Environment.ProcessorCount} cores, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GiB";
    }
}
