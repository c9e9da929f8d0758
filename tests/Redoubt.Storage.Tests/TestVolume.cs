using System.Net;
using System.Net.Sockets;
using Grpc.Core.Interceptors;
using Grpc.Net.Client;
using Redoubt.Cli.Local;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Storage.Tests;

/// <summary>A volume of real storage servers in this process, on loopback and real files.</summary>
internal sealed class TestVolume : IAsyncDisposable
{
    private readonly string _root = Path.Combine(Path.GetTempPath(), "redoubt-storage-" + Guid.NewGuid().ToString("N")[..12]);
    private readonly StorageServer?[] _servers;
    private readonly GrpcChannel?[] _channels;
    private readonly int[] _ports;
    private readonly Func<StorageOptions, StorageOptions> _change;
    private readonly string _secret;

    private TestVolume(VolumeShape shape, Func<StorageOptions, StorageOptions> change, string secret)
    {
        Shape = shape;
        _change = change;
        _secret = secret;
        _servers = new StorageServer?[shape.Copies];
        _channels = new GrpcChannel?[shape.Copies];
        _ports = FreePorts.Take(shape.Copies);
    }

    public VolumeShape Shape { get; }

    public string Volume { get; } = Guid.NewGuid().ToString("D");

    public static async Task<TestVolume> StartAsync(int copies, int groups = 1, Func<StorageOptions, StorageOptions>? change = null, string secret = "")
    {
        var volume = new TestVolume(VolumeShape.ForCopies(copies, groups), change ?? (o => o), secret);
        for (int i = 0; i < copies; i++)
        {
            await volume.StartAsync(i);
        }

        for (int i = 0; i < copies; i++)
        {
            for (int g = 0; g < groups; g++)
            {
                await Until(async () => (await volume.StateAsync(i, g)).Joined, $"storage-{i} joins");
            }
        }

        return volume;
    }

    public SegmentId Id(int group = 0) => new() { Volume = Volume, Group = (uint)group };

    public string DataDir(int index) => Path.Combine(_root, $"storage-{index}");

    public StorageServer Server(int index) => _servers[index] ?? throw new InvalidOperationException($"storage-{index} is down");

    public StorageOptions Options(int index) => _change(new StorageOptions
    {
        Name = $"storage-{index}",
        Volume = Volume,
        DataDir = DataDir(index),
        Index = index,
        Zone = ((char)('a' + (index % 3))).ToString(),
        Listen = new IPEndPoint(IPAddress.Loopback, _ports[index]),
        HttpListen = new IPEndPoint(IPAddress.Loopback, 0),
        Shape = Shape,
        PgVersion = PgVersion.Pg17,
        Segments = [.. _ports.Select(p => new Uri($"http://127.0.0.1:{p}"))],
        LogFileBytes = 1 << 20,
        Secret = _secret,
        GossipEvery = TimeSpan.FromMilliseconds(200),
        ScrubBytesPerSecond = 0,
    });

    public async Task StartAsync(int index)
    {
        _servers[index] = await StorageServer.StartAsync(Options(index));
        _channels[index] = GrpcChannel.ForAddress($"http://127.0.0.1:{_ports[index]}", new GrpcChannelOptions
        {
            MaxReceiveMessageSize = 80 << 20,
            MaxSendMessageSize = 80 << 20,
        });
    }

    public async Task StopAsync(int index)
    {
        _channels[index]?.Dispose();
        _channels[index] = null;
        if (_servers[index] is { } server)
        {
            _servers[index] = null;
            await server.DisposeAsync();
        }
    }

    public void Wipe(int index) => Directory.Delete(DataDir(index), recursive: true);

    public SegmentService.SegmentServiceClient Client(int index) =>
        new((_channels[index] ?? throw new InvalidOperationException($"storage-{index} is down")).Intercept(metadata =>
        {
            metadata.Add("authorization", "Bearer " + _secret);
            return metadata;
        }));

    public async Task<SegmentState> StateAsync(int index, int group = 0) => await Client(index).GetStateAsync(Id(group));

    public OpenEpochRequest EpochRequest(ulong epoch, int group = 0) => new()
    {
        Segment = Id(group),
        Epoch = epoch,
        Writer = "test",
        PgVersion = 17,
        Copies = (uint)Shape.Copies,
        WriteQuorum = (uint)Shape.WriteQuorum,
        ReadQuorum = (uint)Shape.ReadQuorum,
        Groups = (uint)Shape.Groups,
    };

    /// <summary>Flushes the page stores of some copies at an end of the log, and waits until the log before is removed.</summary>
    public async Task UntilTrimmedAsync(int[] copies, ulong end)
    {
        foreach (int i in copies)
        {
            await Until(async () => (await StateAsync(i)).Applied == end, "applied");
            Server(i).Host.Segments[0].FlushNow();
            await Until(async () => (await StateAsync(i)).LogStart > 0, "log is removed");
        }
    }

    /// <summary>Waits for a condition; fails after 20 seconds.</summary>
    public static async Task Until(Func<Task<bool>> condition, string what)
    {
        var deadline = DateTime.UtcNow.AddSeconds(20);
        while (!await condition())
        {
            Assert.True(DateTime.UtcNow < deadline, "in vain: " + what);
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        for (int i = 0; i < _servers.Length; i++)
        {
            await StopAsync(i);
        }

        Directory.Delete(_root, recursive: true);
    }
}
