namespace Redoubt.Cli.Local;

/// <summary>A process's output on disk, bounded: at 16 MiB the file becomes <c>NAME.log.1</c> and a new one begins.</summary>
internal sealed class LogFile(string path) : IDisposable
{
    private const long MaxBytes = 16 << 20;
    private readonly Lock _gate = new();
    private FileStream _file = Open(path);

    /// <summary>Copies a stream of a child to its end.</summary>
    public async Task CopyAsync(Stream from)
    {
        byte[] buffer = new byte[16 << 10];
        int got;
        while ((got = await from.ReadAsync(buffer)) > 0)
        {
            Write(buffer.AsSpan(0, got));
        }
    }

    /// <summary>Adds a line of the supervisor itself.</summary>
    public void Note(string line) => Write(System.Text.Encoding.UTF8.GetBytes($"{DateTime.UtcNow:yyyy-MM-ddTHH:mm:ss.fffZ} supervisor: {line}\n"));

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            _file.Dispose();
        }
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            if (!_file.CanWrite)
            {
                return;
            }

            if (_file.Length > MaxBytes)
            {
                _file.Dispose();
                File.Move(path, path + ".1", overwrite: true);
                _file = Open(path);
            }

            _file.Write(bytes);
            _file.Flush();
        }
    }

    private static FileStream Open(string path) => new(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
}
