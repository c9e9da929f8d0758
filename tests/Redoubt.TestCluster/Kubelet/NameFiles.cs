using System.Text;
using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Controllers;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>
/// Cluster DNS as hosts files: Services lead to their first ready pod (there is no proxy, so the Service's port must be the pod's), pods of
/// headless Services have names of their own.
/// </summary>
internal static class NameFiles
{
    /// <summary>The hosts file of a pod in a namespace.</summary>
    public static string Hosts(Registry registry, JsonObject pod, string ip)
    {
        var text = new StringBuilder("127.0.0.1 localhost\n");
        text.Append(ip).Append(' ').Append(pod.Text("spec", "hostname") ?? pod.Name()).Append('\n');
        foreach (var service in registry.List(BuiltInTypes.Services).Where(s => s.Object("spec", "selector") is { Count: > 0 }))
        {
            var headless = service.Text("spec", "clusterIP") == "None";
            var unready = service.Flag("spec", "publishNotReadyAddresses") is true;
            var pods = Workloads.Selected(registry, service).Where(p => unready || Workloads.Ready(p)).ToList();
            foreach (var target in headless ? pods : pods.Take(1))
            {
                Line(text, target, service.Name(), service.Namespace(), pod.Namespace());
            }
            foreach (var target in pods.Where(p => headless && p.Text("spec", "subdomain") == service.Name() && p.Text("spec", "hostname") is not null))
            {
                Line(text, target, $"{target.Text("spec", "hostname")}.{service.Name()}", service.Namespace(), pod.Namespace());
            }
        }
        return text.ToString();
    }

    private static void Line(StringBuilder text, JsonObject target, string name, string ns, string from)
    {
        text.Append(target.Text("status", "podIP")).Append(' ').Append(name).Append('.').Append(ns).Append(".svc.cluster.local ")
            .Append(name).Append('.').Append(ns).Append(".svc ").Append(name).Append('.').Append(ns);
        if (ns == from)
        {
            text.Append(' ').Append(name);
        }
        text.Append('\n');
    }

    /// <summary>Writes into the same file, which is bound into the containers, and only when it differs.</summary>
    public static void Write(string file, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        if (File.ReadAllBytes(file).AsSpan().SequenceEqual(bytes))
        {
            return;
        }
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        stream.Write(bytes);
        stream.SetLength(bytes.Length);
    }
}
