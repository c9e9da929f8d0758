namespace Redoubt.Storage.LogFiles;

/// <summary>Bytes of a log file that were fsynced and are not what was written.</summary>
/// <param name="Path">The file.</param>
/// <param name="Offset">Where the damaged part begins.</param>
/// <param name="Length">Bytes up to the next good frame.</param>
public readonly record struct LogDamage(string Path, int Offset, int Length);
