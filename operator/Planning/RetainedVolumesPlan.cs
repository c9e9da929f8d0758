using k8s.Models;
using Redoubt.Operator.Planning.Builders;

namespace Redoubt.Operator.Planning;

/// <summary>Volumes left by an earlier cluster of the same name are taken up only when they fit.</summary>
internal static class RetainedVolumesPlan
{
    public static bool Refuses(PlanDraft draft)
    {
        var shape = ClaimBuilder.Shape(draft.Spec);
        var others = draft.Snapshot.Claims.Where(c => c.Metadata.Label(Names.RoleLabel) == Names.Storage).ToList();
        if (others.FirstOrDefault(c => c.Metadata.Label(Names.ShapeLabel) is { } s && s != shape) is { } different)
        {
            draft.Problems.Add(new Problem(
                "RetainedVolumesDiffer",
                $"Volume {different.Metadata.Name} was left by a cluster of shape {different.Metadata.Label(Names.ShapeLabel)}, and this one is {shape}: "
                + "make a cluster of that shape to take the data up, or delete the old volumes",
                Blocks: true));
            return true;
        }

        if (others.Select(c => c.Metadata.Label(Names.VolumeLabel)).OfType<string>().Append(draft.VolumeId).Distinct().Count() > 1)
        {
            draft.Problems.Add(new Problem(
                "RetainedVolumesDiffer",
                "The volumes that exist belong to different databases: delete those of the one that is not wanted",
                Blocks: true));
            return true;
        }

        return false;
    }
}
