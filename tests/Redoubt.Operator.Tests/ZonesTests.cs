using k8s.Models;
using Redoubt.Operator.Api;
using Redoubt.Operator.Planning;

namespace Redoubt.Operator.Tests;

/// <summary>Which zones copies are spread over.</summary>
public sealed class ZonesTests
{
    private static V1Node Node(string zone, params V1Taint[] taints) => new()
    {
        Metadata = new V1ObjectMeta { Name = zone, Labels = new Dictionary<string, string> { ["topology.kubernetes.io/zone"] = zone, ["disk"] = zone == "a" ? "slow" : "fast" } },
        Spec = new V1NodeSpec { Taints = taints },
    };

    private static V1Taint Taint(string key, string? value = null, string effect = "NoSchedule") => new() { Key = key, Value = value, Effect = effect };

    private static string Known(SchedulingSpec? scheduling, params V1Node[] nodes) =>
        string.Join(',', Zones.Known(new DatabaseClusterSpec { Scheduling = scheduling }, nodes));

    [Fact]
    public void Zones_whose_nodes_repel_the_pods_are_none()
    {
        V1Node[] nodes = [Node("c"), Node("b", Taint("node-role.kubernetes.io/control-plane")), Node("a"), Node("d", Taint("team", "other"))];
        Assert.Equal("a,c", Known(null, nodes));
        Assert.Equal("a,c,d", Known(new SchedulingSpec { Tolerations = [new V1Toleration { Key = "team", OperatorProperty = "Equal", Value = "other" }] }, nodes));
        Assert.Equal("a,c", Known(new SchedulingSpec { Tolerations = [new V1Toleration { Key = "team", OperatorProperty = "Equal", Value = "mine" }] }, nodes));
        Assert.Equal("a,c", Known(new SchedulingSpec { Tolerations = [new V1Toleration { OperatorProperty = "Exists", Effect = "NoExecute" }] }, nodes));
        Assert.Equal("a,b,c,d", Known(new SchedulingSpec { Tolerations = [new V1Toleration { OperatorProperty = "Exists" }] }, nodes));
        Assert.Equal("c", Known(new SchedulingSpec { NodeSelector = new Dictionary<string, string> { ["disk"] = "fast" } }, nodes));
    }

    [Fact]
    public void A_node_in_trouble_keeps_its_zone_in_the_game()
    {
        Assert.Equal("a", Known(null, Node("a", Taint("node.kubernetes.io/not-ready"), Taint("node.kubernetes.io/unreachable", effect: "NoExecute"))));
        Assert.Equal("a", Known(null, Node("a", Taint("anything", effect: "PreferNoSchedule"))));
    }

    [Fact]
    public void Zones_of_the_spec_come_first() =>
        Assert.Equal(["x", "b"], Zones.Known(new DatabaseClusterSpec { Storage = new StorageSpec { Zones = ["x", "b"] } }, [Node("a")]));
}
