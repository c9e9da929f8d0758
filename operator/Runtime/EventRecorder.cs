using System.Text.RegularExpressions;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Redoubt.Operator.Planning;

namespace Redoubt.Operator.Runtime;

/// <summary>
/// Records events on objects. Messages that differ only in numbers (other than those of copies) are one fact: told again within half an hour, it raises the count of the
/// first, once a minute at most. No object gets more than a handful of events at once and one a minute in the long run.
/// </summary>
public sealed partial class EventRecorder(KubeApi api, string identity, TimeProvider time, Repeats repeats, ILogger log)
{
    private const int Remembered = 4096;
    private const double Burst = 25;
    private static readonly TimeSpan Life = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan CountPeriod = TimeSpan.FromMinutes(1);
    private readonly Lock gate = new();
    private readonly Dictionary<string, Fact> facts = [];
    private readonly Dictionary<string, (double Tokens, DateTime At)> budgets = [];

    /// <summary>Records an event; one that cannot be recorded is logged, as nothing depends on it.</summary>
    public async Task RecordAsync(IKubernetesObject<V1ObjectMeta> about, PlannedEvent planned, CancellationToken cancel)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var id = $"{about.Metadata.Uid}/{planned.Reason}/{Numbers().Replace(planned.Message, "#")}";
        try
        {
            Fact? known;
            lock (gate)
            {
                if (facts.Count > Remembered)
                {
                    facts.Clear();
                    budgets.Clear();
                }

                if (facts.TryGetValue(id, out known) && now - known.First < Life)
                {
                    known.Count++;
                    if (now - known.Written < CountPeriod)
                    {
                        return;
                    }

                    known.Written = now;
                }
                else if (!Spend(about.Metadata.Uid, now))
                {
                    return;
                }
                else
                {
                    known = null;
                }
            }

            if (known is not null)
            {
                try
                {
                    await api.MergePatchAsync<Corev1Event>(
                        known.Key,
                        new System.Text.Json.Nodes.JsonObject { ["count"] = known.Count, ["lastTimestamp"] = now.ToString("yyyy-MM-ddTHH:mm:ssZ") },
                        cancel);
                    return;
                }
                catch (KubeApiException e) when (e.IsNotFound)
                {
                    // It has expired; tell it anew.
                }
            }

            var created = await api.CreateAsync(Event(about, planned, now), cancel);
            lock (gate)
            {
                facts[id] = new Fact(new ObjectKey(created.NamespaceProperty, created.Name), now);
            }
        }
        catch (KubeApiException e) when (e.Causes.Contains("NamespaceTerminating"))
        {
            // Nobody will read it.
        }
        catch (Exception e) when (e is KubeApiException or HttpRequestException or IOException)
        {
            if (repeats.IsWorthSaying("event " + id, e.Message, out var times))
            {
                Log.EventFailed(log, ObjectKey.Of(about).ToString(), planned.Reason, e.Message, times);
            }
        }
    }

    private bool Spend(string uid, DateTime now)
    {
        var (tokens, at) = budgets.GetValueOrDefault(uid, (Burst, now));
        tokens = Math.Min(Burst, tokens + (now - at).TotalMinutes);
        budgets[uid] = (tokens >= 1 ? tokens - 1 : tokens, now);
        return tokens >= 1;
    }

    private Corev1Event Event(IKubernetesObject<V1ObjectMeta> about, PlannedEvent planned, DateTime now) => new()
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
    };

    [GeneratedRegex(@"(?<!storage-\d*)\d+")]
    private static partial Regex Numbers();

    private sealed class Fact(ObjectKey key, DateTime first)
    {
        public ObjectKey Key { get; } = key;
        public DateTime First { get; } = first;
        public DateTime Written { get; set; } = first;
        public int Count { get; set; } = 1;
    }
}
