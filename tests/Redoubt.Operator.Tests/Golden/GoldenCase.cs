using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using k8s;
using k8s.Models;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Planning.Builders;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Tests.Golden;

/// <summary>
/// The input of a golden test. Pods are described in a few words and built by the builders, so that an input says what is
/// special about it and nothing else.
/// </summary>
internal sealed class GoldenCase
{
    public static readonly DateTime Now = new(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc);
    public const string Uid = "11111111-2222-3333-4444-555555555555";

    [JsonPropertyName("cluster")] public required JsonObject Cluster { get; init; }

    /// <summary>Whether objects are shown in full in the expected output.</summary>
    [JsonPropertyName("showObjects")] public bool ShowObjects { get; init; }
    [JsonPropertyName("nodes")] public List<NodeCase> Nodes { get; init; } = [new("w1", "a"), new("w2", "b"), new("w3", "c")];
    [JsonPropertyName("storageClasses")] public List<StorageClassCase> StorageClasses { get; init; } = [new("standard") { Default = true, Expands = true }];
    [JsonPropertyName("storage")] public List<StorageCase> Storage { get; init; } = [];
    [JsonPropertyName("compute")] public List<ComputeCase> Compute { get; init; } = [];

    /// <summary>What the server refused, by subject.</summary>
    [JsonPropertyName("refused")] public Dictionary<string, string> Refused { get; init; } = [];
    [JsonPropertyName("slowNodes")] public List<string> SlowNodes { get; init; } = [];
    [JsonPropertyName("secrets")] public bool Secrets { get; init; } = true;

    public static GoldenCase Read(string path) =>
        YamlText.ReadAll(File.ReadAllText(path)).Single().Deserialize<GoldenCase>(new JsonSerializerOptions { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow })!;

    public ClusterSnapshot Snapshot()
    {
        var options = new OperatorOptions
        {
            StorageImage = "redoubt:1",
            ComputeImages = new Dictionary<int, string> { [17] = "redoubt-compute:1-pg17", [18] = "redoubt-compute:1-pg18" },
        };
        var cluster = KubernetesJson.Deserialize<DatabaseCluster>(Cluster);
        cluster.Metadata.NamespaceProperty ??= "default";
        cluster.Metadata.Uid ??= Uid;
        cluster.Metadata.Generation ??= 1;
        if (cluster.Metadata.Finalizers?.Contains(Names.Finalizer) == true)
        {
            cluster.Metadata.Annotations ??= new Dictionary<string, string>();
            cluster.Metadata.Annotations.TryAdd(Names.OperatorAnnotation, new OperatorClaim(options.Name, Now).ToString());
        }

        var copies = cluster.Spec.Storage.Copies;
        var zones = Zones.Assign(copies, new Dictionary<int, string?>(), Zones.Known(cluster.Spec, Nodes.Select(n => n.Build())));
        var volume = cluster.Status?.VolumeId ?? Uid;
        var reports = new Dictionary<string, PodReport>();
        var pods = new List<V1Pod>();
        var claims = new List<V1PersistentVolumeClaim>();
        foreach (var description in Storage.SelectMany(s => s.Expand(copies)))
        {
            var claim = ClaimBuilder.Build(cluster, description.Index, zones[description.Index], volume, description.Size ?? cluster.Spec.Storage.Size);
            claim.Spec.StorageClassName ??= description.ClassName;
            claim.Status = new V1PersistentVolumeClaimStatus { Phase = description.Volume };
            claim.Metadata.Uid = "pvc-" + description.Index;
            claim.Metadata.DeletionTimestamp = description.VolumeTerminating ? Now : null;
            if (description.Shape is not null)
            {
                claim.Metadata.Labels[Names.ShapeLabel] = description.Shape;
            }

            if (description.Volume != "none")
            {
                claims.Add(claim);
            }

            if (description.Pod == "none")
            {
                continue;
            }

            var pod = StoragePodBuilder.Build(cluster, options.RunAsUser, description.Index, zones[description.Index], volume, description.Image ?? cluster.Spec.Images.Storage ?? options.StorageImage);
            description.Describe(pod, "127.0.9." + (10 + description.Index), Nodes[description.Index % Nodes.Count].Name);
            pods.Add(pod);
            if (description.State is not null)
            {
                reports[pod.Metadata.Name] = new PodReport(
                    new StorageReport
                    {
                        State = "ready",
                        Segments = [.. Enumerable.Range(0, cluster.Spec.Storage.Groups).Select(g => new SegmentReport
                        {
                            Group = g, Epoch = 1, Scl = "0/2000000", AppliedLsn = "0/1F00000", Vdl = "0/2000000", State = description.State,
                        })],
                    },
                    null,
                    description.SilentSeconds is { } silent ? Now.AddSeconds(-silent) : null);
            }
        }

        foreach (var description in Compute)
        {
            var config = description.OldConfig ? "old" : PostgresConfigBuilder.HashOf(PostgresConfigBuilder.Build(cluster));
            var pod = ComputePodBuilder.Build(
                cluster, options.RunAsUser, description.Generation, volume,
                description.Image ?? cluster.Spec.Images.Compute ?? options.ComputeImages[cluster.Spec.Postgres.Version]);
            pod.Metadata.Annotations[Names.ConfigHashAnnotation] = config;
            pod.Metadata.Annotations[Names.StartConfigAnnotation] = description.PendingRestart is null ? config : "old";
            pod.Metadata.Annotations[Names.AttemptAnnotation] = description.Attempt.ToString(System.Globalization.CultureInfo.InvariantCulture);
            pod.Metadata.Annotations[Names.SilenceAnnotation] = description.Silences.ToString(System.Globalization.CultureInfo.InvariantCulture);
            if (Secrets)
            {
                pod.Metadata.Annotations[Names.SecretsHashAnnotation] = PodParts.Hash("kept\0kept");
                pod.Metadata.Annotations[Names.AuthHashAnnotation] = PodParts.Hash("kept");
            }

            description.Describe(pod, "127.0.9.9", "w1");
            pods.Add(pod);
            if (description.State is not null)
            {
                reports[pod.Metadata.Name] = new PodReport(
                    null,
                    new ComputeReport
                    {
                        State = description.State,
                        Epoch = description.Epoch,
                        Vdl = "0/2000000",
                        Message = description.Message,
                        PendingRestart = description.PendingRestart,
                        ParametersRejected = description.Rejected?.Select(r => new RejectedParameter { Name = r.Key, Value = "x", Reason = r.Value }).ToList(),
                        LastWords = description.LastWords,
                        Segments = [.. Enumerable.Range(0, copies).Select(i => new SegmentStream
                        {
                            Name = $"storage-{i}", Connected = true, Scl = description.Lagging?.Contains(i) == true ? "0/1000000" : "0/2000000",
                        })],
                    },
                    description.SilentSeconds is { } silent ? Now.AddSeconds(-silent) : null,
                    EarlierVdl: "0/1FFFF00");
            }
        }

        return new ClusterSnapshot
        {
            Cluster = cluster,
            Options = options,
            Now = Now,
            NewPassword = () => "generated",
            Pods = pods,
            Claims = claims,
            Secrets = Secrets
                ? [SecretBuilder.Auth(cluster, "kept"), SecretBuilder.Superuser(cluster, "kept"), SecretBuilder.App(cluster, "kept")]
                : [],
            Nodes = [.. Nodes.Select(n => n.Build())],
            StorageClasses = [.. StorageClasses.Select(s => s.Build())],
            Reports = reports,
            SlowStorage = SlowNodes.ToDictionary(n => n, _ => 1),
            Refusals = [.. Refused.Select(r => new Refusal(r.Key, 1, new KubeApiException(System.Net.HttpStatusCode.Forbidden, "Forbidden", r.Value)))],
        };
    }
}
