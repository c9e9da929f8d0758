using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;

namespace Redoubt.Shim.Tests;

/// <summary>Stands where the agent stands: answers the shim's requests with the pages of another data directory.</summary>
internal sealed class PageServer : IAsyncDisposable
{
    private const int Page = 8192;
    private readonly CancellationTokenSource _stop = new();
    private readonly string _source;
    private readonly Socket _listener;
    private readonly Task _serving;

    public PageServer(string socketPath, string source)
    {
        SocketPath = socketPath;
        _source = source;
        (_listener, _serving) = Listen();
    }

    public string SocketPath { get; }

    /// <summary>Blocks asked for with "get", by file.</summary>
    public ConcurrentDictionary<string, ConcurrentQueue<(uint First, uint Count)>> Gets { get; } = new();

    public ConcurrentQueue<(string Path, uint First, uint Count)> Prefetches { get; } = new();

    /// <summary>When set, every file has these contents.</summary>
    public byte[]? FixedContents { get; init; }

    /// <summary>When not 0, every "get" is answered with this errno.</summary>
    public volatile uint FailWith;

    public long PagesServed => Gets.Values.Sum(q => q.Sum(r => r.Count));

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _serving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        File.Delete(SocketPath);
    }

    private (Socket, Task) Listen()
    {
        File.Delete(SocketPath);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        listener.Listen(512);
        File.SetUnixFileMode(SocketPath, (UnixFileMode)0b110_110_110);
        return (listener, Task.Run(() => AcceptAsync(listener)));
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            var connection = await listener.AcceptAsync(_stop.Token);
            _ = Task.Run(() => ServeAsync(connection));
        }
    }

    private async Task ServeAsync(Socket connection)
    {
        await using var stream = new NetworkStream(connection, ownsSocket: true);
        byte[] head = new byte[16];
        while (await stream.ReadAtLeastAsync(head, 16, throwOnEndOfStream: false, _stop.Token) == 16)
        {
            Assert.Equal(0x47504452u, BinaryPrimitives.ReadUInt32LittleEndian(head));
            ushort op = BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(4));
            byte[] name = new byte[BinaryPrimitives.ReadUInt16LittleEndian(head.AsSpan(6))];
            uint first = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(8));
            uint count = BinaryPrimitives.ReadUInt32LittleEndian(head.AsSpan(12));
            await stream.ReadExactlyAsync(name, _stop.Token);
            string path = Encoding.UTF8.GetString(name);
            if (op == 2)
            {
                Prefetches.Enqueue((path, first, count));
                continue;
            }

            byte[] reply = new byte[8 + (FailWith == 0 ? (int)count * Page : 0)];
            BinaryPrimitives.WriteUInt32LittleEndian(reply, FailWith);
            BinaryPrimitives.WriteUInt32LittleEndian(reply.AsSpan(4), FailWith == 0 ? count : 0);
            if (FailWith == 0)
            {
                Gets.GetOrAdd(path, _ => new()).Enqueue((first, count));
                string file = Path.Combine(_source, path);
                if (FixedContents is not null)
                {
                    FixedContents.AsSpan((int)first * Page, (int)count * Page).CopyTo(reply.AsSpan(8));
                }
                else if (File.Exists(file))
                {
                    using var handle = File.OpenHandle(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                    RandomAccess.Read(handle, reply.AsSpan(8), (long)first * Page);
                }
            }

            await stream.WriteAsync(reply, _stop.Token);
        }
    }
}
