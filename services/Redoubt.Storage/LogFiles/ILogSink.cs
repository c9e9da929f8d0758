namespace Redoubt.Storage.LogFiles;

/// <summary>Learns what became durable. Called on the appending thread, in the order of the log.</summary>
internal interface ILogSink
{
    /// <summary>These frames are fsynced where their <see cref="PendingAppend.At"/> says.</summary>
    void Durable(IReadOnlyList<PendingAppend> frames);

    /// <summary>Writing fails and is retried; nothing is acknowledged meanwhile. Null: it works again.</summary>
    void Failing(Exception? error);
}
