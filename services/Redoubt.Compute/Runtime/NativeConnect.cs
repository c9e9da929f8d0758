using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Redoubt.Compute.Runtime;

/// <summary>connect(2) that does not wait, on sockets that block otherwise: .NET has no time limit for connecting but by its asynchronous engine, and a
/// socket that it has once seen wakes its threads for ever after.</summary>
internal static partial class NativeConnect
{
    private const int GetFlags = 3;
    private const int SetFlags = 4;
    private const int NonBlocking = 0x800;
    private const int InProgress = 115;
    private const int LevelSocket = 1;
    private const int Error = 4;

    /// <summary>Begins; the socket is writable once it is decided.</summary>
    /// <exception cref="SocketException">It failed at once.</exception>
    public static void Begin(Socket socket, IPEndPoint to)
    {
        SetNonBlocking(socket, true);
        var address = to.Serialize();
        if (Connect(socket.SafeHandle, address.Buffer.Span, (uint)address.Size) != 0 && Marshal.GetLastPInvokeError() is var error && error != InProgress)
        {
            throw Failed(error);
        }
    }

    /// <summary>After the socket became writable: it is connected, and blocks again.</summary>
    /// <exception cref="SocketException">It is not.</exception>
    public static void End(Socket socket)
    {
        Span<byte> option = stackalloc byte[4];
        socket.GetRawSocketOption(LevelSocket, Error, option);
        if (BitConverter.ToInt32(option) is var error && error != 0)
        {
            throw Failed(error);
        }

        SetNonBlocking(socket, false);
    }

    private static void SetNonBlocking(Socket socket, bool on)
    {
        int flags = FileControl(socket.SafeHandle, GetFlags, 0);
        if (flags < 0 || FileControl(socket.SafeHandle, SetFlags, on ? flags | NonBlocking : flags & ~NonBlocking) < 0)
        {
            throw Failed(Marshal.GetLastPInvokeError());
        }
    }

    private static SocketException Failed(int error) => new((int)SocketError.SocketError, Marshal.GetPInvokeErrorMessage(error));

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int Connect(SafeSocketHandle socket, ReadOnlySpan<byte> address, uint length);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FileControl(SafeSocketHandle socket, int command, int argument);
}
