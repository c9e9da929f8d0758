using System.Text.Json.Serialization;
using k8s.Models;

namespace Redoubt.Operator.Api;

/// <summary>What the cluster is, as the operator last saw it.</summary>
public sealed class DatabaseClusterStatus
{
    /// <summary>The state of the cluster in one or two words, for example <c>Ready</c> or <c>Degraded: parameters</c>.</summary>
    [JsonPropertyName("phase")] public string? Phase { get; set; }

    /// <summary>The same as a sentence, which says what to do where something is wrong.</summary>
    [JsonPropertyName("message")] public string? Message { get; set; }
    [JsonPropertyName("observedGeneration")] public long? ObservedGeneration { get; set; }

    /// <summary>See <see cref="ConditionTypes"/>.</summary>
    [JsonPropertyName("conditions")] public IList<V1Condition>? Conditions { get; set; }

    /// <summary>Id of the volume, a UUID; never changes, also when retained volumes are taken up by a new cluster object.</summary>
    [JsonPropertyName("volumeId")] public string? VolumeId { get; set; }
    [JsonPropertyName("epoch")] public long? Epoch { get; set; }

    /// <summary>Volume durable LSN in PostgreSQL's notation.</summary>
    [JsonPropertyName("vdl")] public string? Vdl { get; set; }

    /// <summary>Name of the compute pod.</summary>
    [JsonPropertyName("primary")] public string? Primary { get; set; }

    /// <summary>Number of the newest compute pod.</summary>
    [JsonPropertyName("computeGeneration")] public long? ComputeGeneration { get; set; }

    /// <summary>Image of the newest compute pod; a replacement during an image upgrade keeps it until storage is through.</summary>
    [JsonPropertyName("computeImage")] public string? ComputeImage { get; set; }

    /// <summary>Image of the compute pod that last served.</summary>
    [JsonPropertyName("lastGoodComputeImage")] public string? LastGoodComputeImage { get; set; }

    /// <summary>Image that the spec names and that could not be had; it is not tried again.</summary>
    [JsonPropertyName("failedComputeImage")] public string? FailedComputeImage { get; set; }

    /// <summary>How PostgreSQL last ended without the pod's doing so, as it was told.</summary>
    [JsonPropertyName("lastRestart")] public string? LastRestart { get; set; }

    /// <summary>Largest size that a volume of the cluster has been asked to have; <c>spec.storage.size</c> may go back to it.</summary>
    [JsonPropertyName("storageSize")] public string? StorageSize { get; set; }
    [JsonPropertyName("service")] public string? Service { get; set; }

    /// <summary>Complete segments of all, for example <c>6/6</c>.</summary>
    [JsonPropertyName("segmentsReady")] public string? SegmentsReady { get; set; }
    [JsonPropertyName("segments")] public IList<SegmentStatus>? Segments { get; set; }
}
