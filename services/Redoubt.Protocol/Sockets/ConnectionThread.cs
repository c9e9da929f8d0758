namespace Redoubt.Protocol.Sockets;

/// <summary>A thread that serves one connection. When the system has none to give, that one connection is refused and nothing else happens.</summary>
public static class ConnectionThread
{
    /// <summary>Enough for the depth that serving has, including RocksDB's; a thousand threads then reserve half a GiB of addresses, not eight.</summary>
    public const int StackBytes = 512 << 10;

    /// <summary>Starts it; false: there is no thread to be had.</summary>
    /// <param name="name">Of the thread.</param>
    /// <param name="serve">Handles its own exceptions: one that escapes ends the process.</param>
    /// <param name="start">Starts a thread; for tests.</param>
    public static bool TryStart(string name, Action serve, Action<Thread>? start = null)
    {
        try
        {
            var thread = new Thread(() => serve(), StackBytes) { Name = name, IsBackground = true };
            (start ?? (static t => t.Start()))(thread);
            return true;
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            return false;
        }
    }
}
