using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Prometheus;
using Redoubt.Compute.Pages;
using Redoubt.Compute.Runtime;
using Redoubt.Protocol;

namespace Redoubt.Compute.Tests;

/// <summary>The socket that PostgreSQL's processes ask for pages, and what they may do to it.</summary>
public sealed class PageServerTests : IDisposable
{
    private const uint Magic = 0x47504452;
    private const uint Eio = 5;
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"redoubt-pages-{Guid.NewGuid():N}.sock");
    private readonly PageMetrics _metrics = new(Metrics.WithCustomRegistry(Metrics.NewCustomRegistry()));
    private readonly PageSource _source;
    private readonly PageServer _server;

    public PageServerTests()
    {
        var targets = new FixedTargets();
        _source = new PageSource(targets, timeoutMs: 1, _metrics);
        var fetcher = new PageFetcher(_source, new FreeSpaceSource(new SegmentReads(targets, 1, _metrics), 1), new PageCache(8), new GroupRouter(1), _metrics);
        _server = new PageServer(_path, new OsAccount("me", 0, 0, MustChange: false), fetcher, _metrics, NullLogger.Instance);
    }

    [Fact]
    public void A_thousand_processes_that_ask_half_a_question_keep_nobody_from_asking()
    {
        byte[] question = Question("base/5/16384");
        var sockets = Enumerable.Range(0, 1_000).Select(i =>
        {
            var socket = Connect();
            socket.Send(question.AsSpan(0, i % question.Length));
            return socket;
        }).ToList();
        Assert.Equal(Eio, Ask(question));
        sockets.ForEach(s => s.Dispose());
        Assert.Equal(Eio, Ask(question));
    }

    [Fact]
    public void Hostile_bytes_end_one_connection_and_nothing_else()
    {
        byte[] question = Question("base/5/16384");
        var random = new Random(20261128);
        for (int i = 0; i < 500; i++)
        {
            byte[] bytes = new byte[random.Next(1, 600)];
            random.NextBytes(bytes);
            if (random.Next(3) > 0)
            {
                question.AsSpan(0, Math.Min(random.Next(4, question.Length), bytes.Length)).CopyTo(bytes);
            }

            using var socket = Connect();
            try
            {
                socket.Send(bytes);
            }
            catch (SocketException)
            {
                // It was closed before it had said all.
            }
        }

        Assert.Equal(Eio, Ask(question));
    }

    [Fact]
    public void Where_no_thread_can_be_started_one_process_is_refused_and_the_others_go_on()
    {
        using var before = Connect();
        Assert.Equal(Eio, Ask(before, Question("base/5/16384")));
        _server.StartThread = _ => throw new OutOfMemoryException("Unable to start thread");
        using (var refused = Connect())
        {
            Assert.Equal(0, refused.Receive(new byte[1]));
        }

        Assert.Equal(1, _metrics.Refused.Value);
        Assert.Equal(Eio, Ask(before, Question("base/5/16384")));
        _server.StartThread = t => t.Start();
        Assert.Equal(Eio, Ask(Question("base/5/16384")));
    }

    public void Dispose()
    {
        _server.Dispose();
        _source.Dispose();
        File.Delete(_path);
    }

    private static byte[] Question(string path)
    {
        byte[] question = new byte[16 + path.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(question, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(question.AsSpan(4), 1);
        BinaryPrimitives.WriteUInt16LittleEndian(question.AsSpan(6), (ushort)path.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(question.AsSpan(12), 1);
        Encoding.ASCII.GetBytes(path, question.AsSpan(16));
        return question;
    }

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 20_000 };
        socket.Connect(new UnixDomainSocketEndPoint(_path));
        return socket;
    }

    private uint Ask(byte[] question)
    {
        using var socket = Connect();
        return Ask(socket, question);
    }

    /// <summary>The answer's status: without any segment it is EIO.</summary>
    private static uint Ask(Socket socket, byte[] question)
    {
        socket.Send(question);
        byte[] reply = new byte[8];
        for (int have = 0; have < reply.Length;)
        {
            int n = socket.Receive(reply.AsSpan(have));
            Assert.NotEqual(0, n);
            have += n;
        }

        return BinaryPrimitives.ReadUInt32LittleEndian(reply);
    }
}
