using System.Text.Json.Nodes;
using Redoubt.TestCluster.Cel;

namespace Redoubt.TestCluster.Schemas;

/// <summary>What a schema node holds.</summary>
public enum SchemaType
{
    /// <summary>Anything at all; nothing below is checked.</summary>
    Any,

    /// <summary>A JSON object: known properties, or a map when <see cref="Schema.AdditionalProperties"/> is set.</summary>
    Object,

    /// <summary>A JSON array.</summary>
    Array,

    /// <summary>A string.</summary>
    String,

    /// <summary>A whole number.</summary>
    Integer,

    /// <summary>Any number.</summary>
    Number,

    /// <summary>true or false.</summary>
    Boolean,
}

/// <summary>
/// One node of a structural schema. Built from a CRD's <c>openAPIV3Schema</c> (<see cref="CrdSchemaReader"/>) or by reflection from the
/// models of KubernetesClient (<see cref="BuiltInSchemas"/>); pruning, validation, defaulting, strategic merge and server-side apply all
/// walk this one tree.
/// </summary>
public sealed class Schema
{
    /// <summary>What the node holds.</summary>
    public SchemaType Type { get; set; } = SchemaType.Any;

    /// <summary>Known fields of an object; null for a map or for anything.</summary>
    public Dictionary<string, Schema>? Properties { get; set; }

    /// <summary>Schema of a map's values.</summary>
    public Schema? AdditionalProperties { get; set; }

    /// <summary>Schema of an array's items.</summary>
    public Schema? Items { get; set; }

    /// <summary>x-kubernetes-int-or-string.</summary>
    public bool IntOrString { get; set; }

    /// <summary>A resource quantity: a string or a number on the wire.</summary>
    public bool Quantity { get; set; }

    /// <summary>An explicit null is a value.</summary>
    public bool Nullable { get; set; }

    /// <summary>x-kubernetes-preserve-unknown-fields.</summary>
    public bool PreserveUnknown { get; set; }

    /// <summary>x-kubernetes-list-type: atomic, set or map. Lists without one are atomic.</summary>
    public string ListType { get; set; } = "atomic";

    /// <summary>x-kubernetes-list-map-keys.</summary>
    public IReadOnlyList<string> ListMapKeys { get; set; } = [];

    /// <summary>Strategic merge key of a list of objects (patchMergeKey); null: the list is replaced.</summary>
    public string? PatchMergeKey { get; set; }

    /// <summary>x-kubernetes-map-type is atomic: the object is owned and replaced as one value.</summary>
    public bool AtomicMap { get; set; }

    /// <summary>Fields that must be there.</summary>
    public IReadOnlyList<string> Required { get; set; } = [];

    /// <summary>Value given to an absent field.</summary>
    public JsonNode? Default { get; set; }

    /// <summary>Allowed values.</summary>
    public IReadOnlyList<JsonNode?> Enum { get; set; } = [];

    /// <summary>Regular expression of a string (RE2 in Kubernetes; the common subset here).</summary>
    public string? Pattern { get; set; }

    /// <summary>OpenAPI format.</summary>
    public string? Format { get; set; }

    /// <summary>Length limits of a string, in characters.</summary>
    public int? MinLength { get; set; }

    /// <summary>Length limits of a string, in characters.</summary>
    public int? MaxLength { get; set; }

    /// <summary>Least number of items.</summary>
    public int? MinItems { get; set; }

    /// <summary>Greatest number of items.</summary>
    public int? MaxItems { get; set; }

    /// <summary>Least number of fields.</summary>
    public int? MinProperties { get; set; }

    /// <summary>Greatest number of fields.</summary>
    public int? MaxProperties { get; set; }

    /// <summary>Lower bound of a number.</summary>
    public double? Minimum { get; set; }

    /// <summary>Upper bound of a number.</summary>
    public double? Maximum { get; set; }

    /// <summary>The lower bound itself is refused.</summary>
    public bool ExclusiveMinimum { get; set; }

    /// <summary>The upper bound itself is refused.</summary>
    public bool ExclusiveMaximum { get; set; }

    /// <summary>A number must be a multiple of it.</summary>
    public double? MultipleOf { get; set; }

    /// <summary>x-kubernetes-validations.</summary>
    public IReadOnlyList<CelRule> Rules { get; set; } = [];

    /// <summary>For people: kubectl explain.</summary>
    public string? Description { get; set; }

    /// <summary>A map of free keys rather than an object with known fields.</summary>
    public bool IsMap => Type == SchemaType.Object && Properties is null && AdditionalProperties is not null;

    /// <summary>The schema of a named field; null when it is not declared.</summary>
    public Schema? Field(string name) =>
        Properties is not null && Properties.TryGetValue(name, out var p) ? p : AdditionalProperties;

    /// <summary>A node that accepts anything.</summary>
    public static Schema Anything { get; } = new() { PreserveUnknown = true };
}
