using System.Text.Json.Nodes;
using Redoubt.TestCluster.Api;
using Redoubt.TestCluster.Patching;

namespace Redoubt.TestCluster.Controllers;

/// <summary>Writes events; one that repeats counts up.</summary>
internal sealed class EventLog(Registry registry)
{
    public void Write(JsonObject about, string type, string reason, string message, string component)
    {
        var ns = about.Namespace() is { Length: > 0 } n ? n : "default";
        lock (registry.Store.Lock)
        {
            var now = ManagedFields.Now();
            var existing = registry.List(BuiltInTypes.Events, ns).FirstOrDefault(e =>
                e.Text("involvedObject", "uid") == about.Uid() && e.Text("reason") == reason && e.Text("message") == message);
            try
            {
                if (existing is not null)
                {
                    var again = existing.Clone();
                    again["count"] = (existing.Integer("count") ?? 1) + 1;
                    again["lastTimestamp"] = now;
                    registry.Update(BuiltInTypes.Events, ns, existing.Name(), again, "", new WriteOptions(component));
                    return;
                }
                registry.Create(BuiltInTypes.Events, ns, new JsonObject
                {
                    ["metadata"] = new JsonObject { ["generateName"] = $"{about.Name()}.", ["namespace"] = ns },
                    ["involvedObject"] = new JsonObject
                    {
                        ["apiVersion"] = about.Text("apiVersion"), ["kind"] = about.Text("kind"), ["namespace"] = about.Namespace(), ["name"] = about.Name(), ["uid"] = about.Uid(),
                    },
                    ["type"] = type, ["reason"] = reason, ["message"] = message, ["count"] = 1,
                    ["firstTimestamp"] = now, ["lastTimestamp"] = now, ["source"] = new JsonObject { ["component"] = component },
                    ["reportingComponent"] = component, ["reportingInstance"] = component,
                }, new WriteOptions(component));
            }
            catch (ApiException e) when (e.Code is 403 or 404 or 409)
            {
                // the namespace is going away: nobody will read it
            }
        }
    }
}
