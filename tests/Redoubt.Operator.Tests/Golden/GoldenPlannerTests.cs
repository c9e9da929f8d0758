using System.Text.Json.Nodes;
using k8s;
using k8s.Models;
using Redoubt.Operator.Planning;
using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Tests.Golden;

/// <summary>
/// The planner against files: <c>Cases/X.input.yaml</c> describes an observation, <c>Cases/X.expected.yaml</c> is the plan.
/// REDOUBT_UPDATE_GOLDEN=1 writes the expected files.
/// </summary>
public sealed class GoldenPlannerTests
{
    private static readonly string Folder = Repository.PathOf("tests", "Redoubt.Operator.Tests", "Golden", "Cases");

    public static TheoryData<string> Cases => [.. Directory.GetFiles(Folder, "*.input.yaml").Select(f => Path.GetFileName(f)[..^".input.yaml".Length]).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Plan_is_as_expected(string name)
    {
        var input = GoldenCase.Read(Path.Combine(Folder, name + ".input.yaml"));
        var plan = ClusterPlanner.Plan(input.Snapshot());
        Repository.MatchesGolden(YamlText.Write(Show(plan, input.ShowObjects)), Path.Combine(Folder, name + ".expected.yaml"));
    }

    [Fact]
    public void Planning_twice_gives_the_same_plan()
    {
        foreach (var name in Cases.Select(c => c.Data))
        {
            var input = GoldenCase.Read(Path.Combine(Folder, name + ".input.yaml"));
            Assert.Equal(Text(), Text());
            string Text() => Show(ClusterPlanner.Plan(input.Snapshot()), true).ToJsonString();
        }
    }

    private static JsonObject Show(ClusterPlan plan, bool showObjects)
    {
        var steps = new JsonArray();
        var upkeep = new JsonArray();
        var objects = new JsonArray();
        foreach (var step in plan.Steps)
        {
            switch (step)
            {
                case PlanStep.Apply { Object: var o }:
                    upkeep.Add(Name(o));
                    objects.Add(Full(o));
                    break;
                case PlanStep.Create { Object: var o }:
                    steps.Add($"create {Name(o)}: {step.Why}");
                    objects.Add(Full(o));
                    break;
                case PlanStep.Delete d:
                    steps.Add($"delete {d.Type.Kind} {d.Key.Name}{(d.GraceSeconds is { } g ? $" within {g} s" : "")}: {d.Why}");
                    break;
                case PlanStep.AnnotatePod a:
                    steps.Add($"annotate Pod {a.Key.Name} with {string.Join(", ", a.Annotations.Keys)}: {a.Why}");
                    break;
                case PlanStep.CheckPod c:
                    steps.Add($"check {Name(c.Pod)}");
                    break;
                case PlanStep.SetFinalizer f:
                    steps.Add(f.Present ? "add finalizer" : "remove finalizer");
                    break;
            }
        }

        var shown = new JsonObject { ["steps"] = steps };
        if (showObjects)
        {
            shown["objects"] = objects;
        }
        else
        {
            shown["upkeep"] = upkeep;
        }

        shown["events"] = new JsonArray([.. plan.Events.Select(e => (JsonNode)$"{(e.Warning ? "Warning" : "Normal")} {e.Reason}: {e.Message}")]);
        if (plan.CheckAgainAfter is { } again)
        {
            shown["checkAgainAfterMs"] = (long)again.TotalMilliseconds;
        }

        shown["status"] = plan.Status is null ? null : JsonNode.Parse(KubernetesJson.Serialize(plan.Status));
        return shown;
    }

    private static string Name(IKubernetesObject<V1ObjectMeta> o) => $"{ResourceType.Of(o).Kind} {o.Metadata.Name}";

    private static JsonNode Full(IKubernetesObject<V1ObjectMeta> o)
    {
        o.ApiVersion = ResourceType.Of(o).ApiVersion;
        o.Kind = ResourceType.Of(o).Kind;
        return JsonNode.Parse(KubernetesJson.Serialize(o))!;
    }
}
