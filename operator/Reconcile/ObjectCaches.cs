using System.Collections.Concurrent;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Reconcile;

/// <summary>The informers of everything that the planner looks at.</summary>
public sealed class ObjectCaches
{
    private const string Ours = Names.ManagedByLabel + "=" + Names.ManagedBy;

    public ObjectCaches(KubeApi api, string? watchNamespace, ILogger log, OperatorMetrics metrics)
    {
        Clusters = new Informer<DatabaseCluster>(api, watchNamespace, null, c => ObjectKey.Of(c), log, metrics);
        Pods = Children<V1Pod>();
        Claims = Children<V1PersistentVolumeClaim>();
        Secrets = Children<V1Secret>();
        ConfigMaps = Children<V1ConfigMap>();
        Services = Children<V1Service>();
        ServiceAccounts = Children<V1ServiceAccount>();
        DisruptionBudgets = Children<V1PodDisruptionBudget>();
        NetworkPolicies = Children<V1NetworkPolicy>();
        Nodes = new Informer<V1Node>(api, null, null, _ => null, log, metrics);
        StorageClasses = new Informer<V1StorageClass>(api, null, null, _ => null, log, metrics);

        Informer<T> Children<T>()
            where T : class, IKubernetesObject<V1ObjectMeta> =>
            new(api, watchNamespace, Ours, OwnerOf, log, metrics);
    }

    private readonly ConcurrentDictionary<ObjectKey, IDictionary<string, byte[]>> lost = new();

    /// <summary>Values of the Secrets of a cluster that were deleted while this operator looked, by name and key.</summary>
    public IReadOnlyDictionary<string, string> LostSecrets(ObjectKey cluster)
    {
        var found = new Dictionary<string, string>();
        foreach (var name in (string[])[Names.AuthSecret(cluster.Name), Names.SuperuserSecret(cluster.Name), Names.AppSecret(cluster.Name)])
        {
            foreach (var (key, value) in lost.GetValueOrDefault(new ObjectKey(cluster.Namespace, name)) ?? new Dictionary<string, byte[]>())
            {
                found[$"{name}/{key}"] = System.Text.Encoding.UTF8.GetString(value);
            }
        }

        return found;
    }

    /// <summary>Drops what is remembered of the Secrets of a cluster that is gone.</summary>
    public void ForgetSecrets(ObjectKey cluster)
    {
        foreach (var name in (string[])[Names.AuthSecret(cluster.Name), Names.SuperuserSecret(cluster.Name), Names.AppSecret(cluster.Name)])
        {
            lost.TryRemove(new ObjectKey(cluster.Namespace, name), out _);
        }
    }

    public Informer<DatabaseCluster> Clusters { get; }
    public Informer<V1Pod> Pods { get; }
    public Informer<V1PersistentVolumeClaim> Claims { get; }
    public Informer<V1Secret> Secrets { get; }
    public Informer<V1ConfigMap> ConfigMaps { get; }
    public Informer<V1Service> Services { get; }
    public Informer<V1ServiceAccount> ServiceAccounts { get; }
    public Informer<V1PodDisruptionBudget> DisruptionBudgets { get; }
    public Informer<V1NetworkPolicy> NetworkPolicies { get; }
    public Informer<V1Node> Nodes { get; }
    public Informer<V1StorageClass> StorageClasses { get; }

    public IReadOnlyList<IInformer> All =>
        [Clusters, Pods, Claims, Secrets, ConfigMaps, Services, ServiceAccounts, DisruptionBudgets, NetworkPolicies, Nodes, StorageClasses];

    /// <summary>Calls back with the cluster of every object that changes.</summary>
    public void OnChange(Action<ObjectKey> clusterChanged)
    {
        // Before anybody is woken: the plan that finds the Secret missing must know what it held. A Secret of a cluster that is deleted is no loss.
        Secrets.Changed += (old, now) =>
        {
            if (now is null && old is { Data: { Count: > 0 } data } && OwnerOf(old) is { } owner && Clusters.Get(owner) is { Metadata.DeletionTimestamp: null })
            {
                lost[ObjectKey.Of(old)] = data;
            }
        };
        Hook(Clusters);
        Hook(Pods);
        Hook(Claims);
        Hook(Secrets);
        Hook(ConfigMaps);
        Hook(Services);
        Hook(ServiceAccounts);
        Hook(DisruptionBudgets);
        Hook(NetworkPolicies);
        Nodes.Changed += (old, now) =>
        {
            // Kubelets report often; only what the planner asks nodes about counts.
            if (old is null || now is null || old.IsReady() != now.IsReady() || old.Spec?.Unschedulable != now.Spec?.Unschedulable
                || !SameTaints(old, now)
                || !SameLabels(old.Metadata.Labels, now.Metadata.Labels))
            {
                Everyone();
            }
        };
        StorageClasses.Changed += (_, _) => Everyone();

        void Hook<T>(Informer<T> informer)
            where T : class, IKubernetesObject<V1ObjectMeta> =>
            informer.Changed += (old, now) =>
            {
                if ((now ?? old) is DatabaseCluster cluster)
                {
                    clusterChanged(ObjectKey.Of(cluster));
                }
                else if (OwnerOf((now ?? old)!) is { } owner)
                {
                    clusterChanged(owner);
                }
            };

        void Everyone()
        {
            foreach (var cluster in Clusters.All)
            {
                clusterChanged(ObjectKey.Of(cluster));
            }
        }
    }

    /// <summary>The cached object of a kind that the operator applies; null when there is none or the kind is not watched.</summary>
    public IKubernetesObject<V1ObjectMeta>? Find(IKubernetesObject<V1ObjectMeta> like)
    {
        var key = ObjectKey.Of(like);
        return like switch
        {
            V1Pod => Pods.Get(key),
            V1PersistentVolumeClaim => Claims.Get(key),
            V1Secret => Secrets.Get(key),
            V1ConfigMap => ConfigMaps.Get(key),
            V1Service => Services.Get(key),
            V1ServiceAccount => ServiceAccounts.Get(key),
            V1PodDisruptionBudget => DisruptionBudgets.Get(key),
            V1NetworkPolicy => NetworkPolicies.Get(key),
            _ => null,
        };
    }

    /// <summary>Whether the cache of a kind has caught up with a version; true for kinds that are not watched.</summary>
    public bool HasSeen(ResourceType type, string? version) =>
        type == ResourceType.DatabaseClusters ? Clusters.HasSeen(version)
        : type == ResourceType.Pods ? Pods.HasSeen(version)
        : type == ResourceType.Claims ? Claims.HasSeen(version)
        : type == ResourceType.Secrets ? Secrets.HasSeen(version)
        : type == ResourceType.ConfigMaps ? ConfigMaps.HasSeen(version)
        : type == ResourceType.Services ? Services.HasSeen(version)
        : type == ResourceType.ServiceAccounts ? ServiceAccounts.HasSeen(version)
        : type == ResourceType.DisruptionBudgets ? DisruptionBudgets.HasSeen(version)
        : type != ResourceType.NetworkPolicies || NetworkPolicies.HasSeen(version);

    private static ObjectKey? OwnerOf(IMetadata<V1ObjectMeta> value) =>
        value.Metadata.Label(Names.ClusterLabel) is { } cluster ? new ObjectKey(value.Metadata.NamespaceProperty, cluster) : null;

    private static bool SameTaints(V1Node a, V1Node b) =>
        (a.Spec?.Taints ?? []).Select(t => $"{t.Key}={t.Value}:{t.Effect}").ToHashSet().SetEquals((b.Spec?.Taints ?? []).Select(t => $"{t.Key}={t.Value}:{t.Effect}"));

    private static bool SameLabels(IDictionary<string, string>? a, IDictionary<string, string>? b) =>
        (a?.Count ?? 0) == (b?.Count ?? 0) && (a is null || b is null || a.All(p => b.TryGetValue(p.Key, out var v) && v == p.Value));
}
