using System.Text.Json.Serialization;

namespace Redoubt.Operator.Planning;

/// <summary>A parameter that is not in force, and why, in PostgreSQL's words or ours.</summary>
public sealed record RejectedParameter
{
    [JsonPropertyName("name")] public string Name { get; init; } = "";
    [JsonPropertyName("value")] public string? Value { get; init; }
    [JsonPropertyName("reason")] public string Reason { get; init; } = "";

    public override string ToString() => $"{Name}{(string.IsNullOrEmpty(Value) ? "" : $" = {Value}")}: {Reason}";
}
