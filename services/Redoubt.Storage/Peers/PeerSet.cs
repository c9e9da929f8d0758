using Grpc.Core;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Segments;

namespace Redoubt.Storage.Peers;

/// <summary>All other copies of a volume.</summary>
internal sealed class PeerSet : IDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(1.5);
    private readonly List<Peer> _peers;
    private readonly string _volume;

    public PeerSet(StorageOptions options, DrillState drills)
    {
        _volume = options.Volume;
        _peers = [.. options.Segments.Select((uri, index) => (uri, index)).Where(s => s.index != options.Index)
            .Select(s => new Peer(s.index, s.uri, options.Secret, drills))];
    }

    public IReadOnlyList<Peer> All => _peers;

    /// <summary>The id under which peers know a group.</summary>
    public SegmentId Id(int group) => new() { Volume = _volume, Group = (uint)group };

    /// <summary>What all copies that answer soon say about a group.</summary>
    public async Task<List<(Peer Peer, SegmentState State)>> StatesAsync(int group, CancellationToken cancellation)
    {
        var calls = _peers.Select(p => StateAsync(p, group, cancellation)).ToArray();
        var answers = await Task.WhenAll(calls).ConfigureAwait(false);
        return [.. _peers.Zip(answers).Where(a => a.Second is not null).Select(a => (a.First, a.Second!))];
    }

    /// <summary>What one copy says; null when it does not answer.</summary>
    public async Task<SegmentState?> StateAsync(Peer peer, int group, CancellationToken cancellation)
    {
        try
        {
            return await peer.Client.GetStateAsync(Id(group), deadline: DateTime.UtcNow + CallTimeout, cancellationToken: cancellation)
                .ConfigureAwait(false);
        }
        catch (RpcException)
        {
            return null;
        }
    }

    public void Dispose() => _peers.ForEach(p => p.Dispose());
}
