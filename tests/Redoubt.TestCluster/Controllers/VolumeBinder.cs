using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Schemas;

namespace Redoubt.TestCluster.Controllers;

/// <summary>
/// Provisions a folder for each claim: at once, or when the first pod that uses it has been given a node (WaitForFirstConsumer, which ties
/// the volume to the node's zone). Protects claims in use, grows them, and removes the folder of a released volume.
/// </summary>
internal sealed class VolumeBinder(Registry registry, EventLog events, string folder)
{
    public const string SelectedNode = "volume.kubernetes.io/selected-node";
    private static readonly WriteOptions Options = new("kube-controller-manager");

    /// <summary>The folder of a volume.</summary>
    public string FolderOf(string volume) => Path.Combine(folder, volume);

    public void Reconcile()
    {
        foreach (var claim in registry.List(BuiltInTypes.Claims))
        {
            if (claim.At("metadata", "deletionTimestamp") is not null)
            {
                if (!InUse(claim))
                {
                    GarbageCollector.RemoveFinalizer(registry, BuiltInTypes.Claims, claim, "kubernetes.io/pvc-protection");
                }
            }
            else if (claim.Text("spec", "volumeName") is null)
            {
                Provision(claim);
            }
            else
            {
                Grow(claim);
            }
        }
        foreach (var volume in registry.List(BuiltInTypes.Volumes))
        {
            var claim = registry.TryGet(BuiltInTypes.Claims, volume.Text("spec", "claimRef", "namespace") ?? "", volume.Text("spec", "claimRef", "name") ?? "");
            if (claim?.Uid() == volume.Text("spec", "claimRef", "uid"))
            {
                continue;
            }
            if (volume.Text("spec", "persistentVolumeReclaimPolicy") == "Retain")
            {
                registry.SetStatus(BuiltInTypes.Volumes, "", volume.Name(), volume.Uid(), Options.Manager, _ => new JsonObject { ["phase"] = "Released" });
                continue;
            }
            registry.Delete(BuiltInTypes.Volumes, "", volume.Name(), new DeleteOptions());
            Directory.Delete(FolderOf(volume.Name()), true);
        }
    }

    private bool InUse(JsonObject claim) => registry.List(BuiltInTypes.Pods, claim.Namespace()).Any(p =>
        p.Text("status", "phase") is not ("Succeeded" or "Failed") &&
        p.Objects("spec", "volumes").Any(v => v.Text("persistentVolumeClaim", "claimName") == claim.Name()));

    private void Provision(JsonObject claim)
    {
        var name = claim.Text("spec", "storageClassName");
        if (string.IsNullOrEmpty(name))
        {
            events.Write(claim, "Normal", "FailedBinding", "no persistent volumes available for this claim and no storage class is set", "persistentvolume-controller");
            return;
        }
        if (registry.TryGet(BuiltInTypes.StorageClasses, "", name) is not { } storageClass)
        {
            events.Write(claim, "Warning", "ProvisioningFailed", $"storageclass.storage.k8s.io \"{name}\" not found", "persistentvolume-controller");
            return;
        }
        var node = claim.Text("metadata", "annotations", SelectedNode);
        var waits = storageClass.Text("volumeBindingMode") == "WaitForFirstConsumer";
        if (waits && node is null)
        {
            events.Write(claim, "Normal", "WaitForFirstConsumer", "waiting for first consumer to be created before binding", "persistentvolume-controller");
            return;
        }
        var volumeName = $"pvc-{claim.Uid()}";
        var size = claim.At("spec", "resources", "requests", "storage")!;
        var volume = new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = volumeName },
            ["spec"] = new JsonObject
            {
                ["accessModes"] = claim.At("spec", "accessModes")!.DeepClone(),
                ["capacity"] = new JsonObject { ["storage"] = size.DeepClone() },
                ["claimRef"] = new JsonObject { ["kind"] = "PersistentVolumeClaim", ["apiVersion"] = "v1", ["namespace"] = claim.Namespace(), ["name"] = claim.Name(), ["uid"] = claim.Uid() },
                ["persistentVolumeReclaimPolicy"] = storageClass.Text("reclaimPolicy") ?? "Delete",
                ["storageClassName"] = name,
                ["volumeMode"] = "Filesystem",
                ["hostPath"] = new JsonObject { ["path"] = FolderOf(volumeName) },
            },
        };
        var zone = node is null ? null : registry.TryGet(BuiltInTypes.Nodes, "", node).Text("metadata", "labels", "topology.kubernetes.io/zone");
        if (zone is not null)
        {
            volume.Child("spec")["nodeAffinity"] = new JsonObject
            {
                ["required"] = new JsonObject
                {
                    ["nodeSelectorTerms"] = new JsonArray(new JsonObject
                    {
                        ["matchExpressions"] = new JsonArray(new JsonObject { ["key"] = "topology.kubernetes.io/zone", ["operator"] = "In", ["values"] = new JsonArray(zone) }),
                    }),
                },
            };
        }
        Directory.CreateDirectory(FolderOf(volumeName));
        registry.Create(BuiltInTypes.Volumes, "", volume, Options);
        registry.SetStatus(BuiltInTypes.Volumes, "", volumeName, registry.Get(BuiltInTypes.Volumes, "", volumeName).Uid(), Options.Manager, _ => new JsonObject { ["phase"] = "Bound" });
        var bound = registry.Get(BuiltInTypes.Claims, claim.Namespace(), claim.Name()).Clone();
        bound.Child("spec")["volumeName"] = volumeName;
        registry.Update(BuiltInTypes.Claims, claim.Namespace(), claim.Name(), bound, "", Options);
        registry.SetStatus(BuiltInTypes.Claims, claim.Namespace(), claim.Name(), claim.Uid(), Options.Manager, _ => new JsonObject
        {
            ["phase"] = "Bound", ["accessModes"] = claim.At("spec", "accessModes")!.DeepClone(), ["capacity"] = new JsonObject { ["storage"] = size.DeepClone() },
        });
        events.Write(claim, "Normal", "ProvisioningSucceeded", $"Successfully provisioned volume {volumeName}", "test-provisioner");
    }

    private void Grow(JsonObject claim)
    {
        var (wanted, has) = (Size(claim.At("spec", "resources", "requests", "storage")), Size(claim.At("status", "capacity", "storage")));
        if (has is null || wanted is null || wanted.Value.CompareTo(has.Value) <= 0)
        {
            return;
        }
        var size = claim.At("spec", "resources", "requests", "storage")!;
        if (registry.TryGet(BuiltInTypes.Volumes, "", claim.Text("spec", "volumeName")!) is { } volume)
        {
            var grown = volume.Clone();
            grown.Child("spec").Child("capacity")["storage"] = size.DeepClone();
            registry.Update(BuiltInTypes.Volumes, "", volume.Name(), grown, "", Options);
        }
        registry.SetStatus(BuiltInTypes.Claims, claim.Namespace(), claim.Name(), claim.Uid(), Options.Manager, status =>
        {
            status["capacity"] = new JsonObject { ["storage"] = size.DeepClone() };
            return status;
        });
        events.Write(claim, "Normal", "FileSystemResizeSuccessful", "volume resize done", "test-provisioner");
    }

    private static Quantity? Size(JsonNode? node) => node is not null && Quantity.TryParse(node.Text() ?? node.ToJsonString(), out var q) ? q : null;
}
