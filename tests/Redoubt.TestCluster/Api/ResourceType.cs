using System.Text.Json.Nodes;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Api;

/// <summary>One kind that the server serves in one version.</summary>
/// <param name="Group">API group; "" for core.</param>
/// <param name="Version">v1, v1alpha1 …</param>
/// <param name="Plural">Path segment.</param>
/// <param name="Kind">Kind of one object.</param>
/// <param name="Namespaced">Lives in a namespace.</param>
public sealed record ResourceType(string Group, string Version, string Plural, string Kind, bool Namespaced)
{
    /// <summary>Names that kubectl accepts beside the plural.</summary>
    public IReadOnlyList<string> ShortNames { get; init; } = [];

    /// <summary>Categories: "all".</summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Status is written only through /status.</summary>
    public bool HasStatus { get; init; }

    /// <summary>metadata.generation counts changes of what the user wants.</summary>
    public bool HasGeneration { get; init; }

    /// <summary>Comes from a CRD: no strategic merge.</summary>
    public bool IsCustom { get; init; }

    /// <summary>What an object may hold.</summary>
    public Schema Schema { get; init; } = Schema.Anything;

    /// <summary>The CRD's additionalPrinterColumns.</summary>
    public IReadOnlyList<JsonObject> PrinterColumns { get; init; } = [];

    /// <summary>JSON paths that a CRD allows in field selectors.</summary>
    public IReadOnlyList<string> SelectableFields { get; init; } = [];

    /// <summary>Where the replicas of a custom kind with a scale subresource are; null when it has none.</summary>
    public string? ScalePath { get; init; }

    /// <summary>apiVersion of its objects.</summary>
    public string ApiVersion => Group.Length == 0 ? Version : $"{Group}/{Version}";

    /// <summary>plural.group, as in messages.</summary>
    public string GroupResource => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>Singular name.</summary>
    public string Singular => Kind.ToLowerInvariant();
}
