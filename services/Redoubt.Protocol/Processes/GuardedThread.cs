namespace Redoubt.Protocol.Processes;

/// <summary>A thread that something depends on: an exception that ends it is handed to the one who can say what that means, and never ends the process
/// unsaid.</summary>
public static class GuardedThread
{
    /// <summary>Makes and starts it.</summary>
    /// <param name="name">Of the thread.</param>
    /// <param name="run">What it does.</param>
    /// <param name="failed">Gets the exception that ended it, on the same thread.</param>
    /// <param name="priority">Of the thread.</param>
    /// <exception cref="OutOfMemoryException">The system has no thread to give.</exception>
    public static Thread Start(string name, Action run, Action<Exception> failed, ThreadPriority priority = ThreadPriority.Normal)
    {
        var thread = new Thread(() =>
        {
            try
            {
                run();
            }
            catch (Exception e)
            {
                failed(e);
            }
        })
        {
            Name = name,
            IsBackground = true,
            Priority = priority,
        };
        thread.Start();
        return thread;
    }
}
