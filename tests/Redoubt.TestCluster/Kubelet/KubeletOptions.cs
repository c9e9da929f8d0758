using System.Collections.Concurrent;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>How pods are run.</summary>
public sealed class KubeletOptions
{
    /// <summary>Where pods, logs and volumes are kept.</summary>
    public required string Folder { get; init; }

    /// <summary>Images that can be pulled, by the name that pods use; may change at any time.</summary>
    public ConcurrentDictionary<string, Image> Images { get; } = new();

    /// <summary>Wait before the second restart of a container; doubles with each. The first restart comes at once.</summary>
    public TimeSpan RestartBackOff { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest such wait (<c>maxContainerRestartPeriod</c> of a real kubelet).</summary>
    public TimeSpan LongestRestartBackOff { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Variables that every container gets: where the API server is.</summary>
    internal Dictionary<string, string> ServiceEnvironment { get; init; } = [];
}
