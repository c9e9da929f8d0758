using System.Text.Json.Serialization;

namespace Redoubt.Operator.Planning;

/// <summary>What the compute process says on <c>/status</c>; see docs/processes.md.</summary>
public sealed record ComputeReport
{
    [JsonPropertyName("name")] public string? Name { get; init; }
    [JsonPropertyName("role")] public string? Role { get; init; }

    /// <summary><c>starting</c>, <c>recovering</c>, <c>importing</c>, <c>ready</c>, <c>fenced</c>, <c>stopping</c> or <c>failed</c>.</summary>
    [JsonPropertyName("state")] public string? State { get; init; }
    [JsonPropertyName("message")] public string? Message { get; init; }
    [JsonPropertyName("epoch")] public long Epoch { get; init; }
    [JsonPropertyName("vdl")] public string? Vdl { get; init; }

    [JsonPropertyName("segments")] public IReadOnlyList<SegmentStream>? Segments { get; init; }

    /// <summary>Parameters whose new value needs a restart of PostgreSQL.</summary>
    [JsonPropertyName("pendingRestart")] public IReadOnlyList<string>? PendingRestart { get; init; }

    /// <summary>Parameters of the file that are not in force; null from an agent that does not judge them.</summary>
    [JsonPropertyName("parametersRejected")] public IReadOnlyList<RejectedParameter>? ParametersRejected { get; init; }

    /// <summary>SHA-256 of the parameters file that was judged last, in hexadecimal digits.</summary>
    [JsonPropertyName("parametersHash")] public string? ParametersHash { get; init; }

    /// <summary>Why passwords could not be set or the configuration not be reloaded; empty when all is done.</summary>
    [JsonPropertyName("administrationProblem")] public string? AdministrationProblem { get; init; }

    /// <summary>How PostgreSQL ended last inside this pod: its exit status and its last FATAL or PANIC; empty before.</summary>
    [JsonPropertyName("lastWords")] public string? LastWords { get; init; }
}
