using System.Text;

namespace Redoubt.Compute.Postgres;

/// <summary>Passes on what PostgreSQL writes to standard error, and keeps the last line that says why it ends.</summary>
public sealed class ServerOutput
{
    private const int LongestLine = 4096;
    private static readonly TimeSpan EndPatience = TimeSpan.FromMilliseconds(500);
    private readonly byte[] _line = new byte[LongestLine];
    private readonly Thread _thread;
    private Stream _from = Stream.Null;
    private int _length;
    private volatile string? _reason;

    public ServerOutput() => _thread = new Thread(Run) { Name = "postgres output", IsBackground = true };

    /// <summary>
    /// The last PANIC, or how a process of the server ended, or, before it served anybody, the last FATAL (later each refused client makes one); null when
    /// there is none.
    /// </summary>
    public string? Reason => _reason;

    /// <summary>Set when it begins to serve.</summary>
    public bool IsServing { get; set; }

    /// <summary>Begins.</summary>
    public void Follow(Stream from)
    {
        _from = from;
        _thread.Start();
    }

    /// <summary>Waits until all that a server that has ended wrote was read. A process of it that lingers keeps nobody waiting for long.</summary>
    public void WaitForEnd() => _thread.Join(EndPatience);

    private void Run()
    {
        var buffer = new byte[1 << 16];
        using var to = Console.OpenStandardError();
        try
        {
            for (int n; (n = _from.Read(buffer)) > 0;)
            {
                Scan(buffer.AsSpan(0, n));
                to.Write(buffer, 0, n);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // Nobody reads the agent's own output any more, or the server is gone.
        }
    }

    private void Scan(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int end = bytes.IndexOf((byte)'\n');
            var part = end < 0 ? bytes : bytes[..end];
            part = part[..Math.Min(part.Length, LongestLine - _length)];
            part.CopyTo(_line.AsSpan(_length));
            _length += part.Length;
            if (end < 0)
            {
                return;
            }

            Note(_line.AsSpan(0, _length));
            _length = 0;
            bytes = bytes[(end + 1)..];
        }
    }

    private void Note(ReadOnlySpan<byte> line)
    {
        int at = line.IndexOf("PANIC:  "u8);
        at = at < 0 && !IsServing ? line.IndexOf("FATAL:  "u8) : at;
        if (at < 0 && line.IndexOf(" process (PID "u8) >= 0 && (line.IndexOf(") was terminated by signal "u8) >= 0 || line.IndexOf(") exited with exit code "u8) >= 0))
        {
            at = line.IndexOf("LOG:  "u8);
        }

        // What follows from a reason is no other: a start-up process that ends makes the postmaster say so.
        if (at >= 0 && (_reason is null || line[at] != 'L'))
        {
            _reason = Encoding.UTF8.GetString(line[at..]).Replace(":  ", ": ", StringComparison.Ordinal);
        }
    }
}
