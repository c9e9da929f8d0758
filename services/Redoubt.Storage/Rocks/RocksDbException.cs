namespace Redoubt.Storage.Rocks;

/// <summary>RocksDB refused something; the message is its own.</summary>
internal sealed class RocksDbException(string message) : Exception(message);
