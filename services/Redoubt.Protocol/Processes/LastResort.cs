using System.Runtime.InteropServices;

namespace Redoubt.Protocol.Processes;

/// <summary>What happens to an exception that nobody caught: the process says one sentence and where it came from, and ends with status 1, as after any other
/// failure, instead of aborting. A supervisor starts it again.</summary>
public static partial class LastResort
{
    private const int Failed = 1;

    /// <summary>Once, when the process starts.</summary>
    /// <param name="name">Of the process, for people.</param>
    public static void Install(string name) => AppDomain.CurrentDomain.UnhandledException += (_, e) =>
    {
        Console.Error.WriteLine(
            $"{name} ends because of an error that nobody expected in thread '{Thread.CurrentThread.Name}'; please report it: {e.ExceptionObject}");
        Console.Error.Flush();

        // At once: what the other threads would write now may follow from the same error.
        Exit(Failed);
    };

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Exit(int status);
}
