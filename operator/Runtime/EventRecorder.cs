using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Redoubt.Operator.Planning;

namespace Redoubt.Operator.Runtime;

/// <summary>Records events on objects. An event that is told again within its life raises the count of the first.</summary>
public sealed class EventRecorder(KubeApi api, string identity, TimeProvider time, ILogger log)
{
    private const int Remembered = 512;
    private readonly Lock gate = new();
    private readonly Dictionary<string, (ObjectKey Key, int Count, DateTime First)> recorded = [];

    /// <summary>Records an event; one that cannot be recorded is logged, as nothing depends on it.</summary>
    public async Task RecordAsync(IKubernetesObject<V1ObjectMeta> about, PlannedEvent planned, CancellationToken cancel)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var id = $"{about.Metadata.Uid}/{planned.Reason}/{planned.Message}";
        try
        {
            (ObjectKey Key, int Count, DateTime First) known;
            lock (gate)
            {
                if (recorded.Count > Remembered)
                {
                    recorded.Clear();
                }

                recorded.TryGetValue(id, out known);
            }

            if (known.Count > 0 && now - known.First < TimeSpan.FromMinutes(30))
            {
                try
                {
                    await api.MergePatchAsync<Corev1Event>(
                        known.Key,
                        new System.Text.Json.Nodes.JsonObject { ["count"] = known.Count + 1, ["lastTimestamp"] = now.ToString("yyyy-MM-ddTHH:mm:ssZ") },
                        cancel);
                    Remember(id, known with { Count = known.Count + 1 });
                    return;
                }
                catch (KubeApiException e) when (e.IsNotFound)
                {
                    // It has expired; tell it anew.
                }
            }

            var created = await api.CreateAsync(
                new Corev1Event
                {
                    Metadata = new V1ObjectMeta
                    {
                        Name = $"{about.Metadata.Name}.{Guid.NewGuid():N}"[..Math.Min(about.Metadata.Name.Length + 17, 63)],
                        NamespaceProperty = about.Metadata.NamespaceProperty,
                    },
                    InvolvedObject = new V1ObjectReference
                    {
                        ApiVersion = about.ApiVersion,
                        Kind = about.Kind,
                        Name = about.Metadata.Name,
                        NamespaceProperty = about.Metadata.NamespaceProperty,
                        Uid = about.Metadata.Uid,
                        ResourceVersion = about.Metadata.ResourceVersion,
                    },
                    Type = planned.Warning ? "Warning" : "Normal",
                    Reason = planned.Reason,
                    Message = planned.Message.Length > 1000 ? planned.Message[..1000] : planned.Message,
                    Count = 1,
                    FirstTimestamp = now,
                    LastTimestamp = now,
                    Source = new V1EventSource { Component = KubeApi.FieldManager },
                    ReportingComponent = "redoubt.dev/operator",
                    ReportingInstance = identity,
                },
                cancel);
            Remember(id, (new ObjectKey(created.NamespaceProperty, created.Name), 1, now));
        }
        catch (Exception e) when (e is KubeApiException or HttpRequestException)
        {
            Log.EventFailed(log, ObjectKey.Of(about).ToString(), planned.Reason, e.Message);
        }
    }

    private void Remember(string id, (ObjectKey Key, int Count, DateTime First) value)
    {
        lock (gate)
        {
            recorded[id] = value;
        }
    }
}
