namespace Redoubt.Compute.Shipping;

/// <summary>PostgreSQL answered the replication connection with an error.</summary>
public sealed class ReplicationException(string sqlState, string message) : Exception($"{message} (SQLSTATE {sqlState})")
{
    /// <summary><c>cannot_connect_now</c>: starting up or shutting down.</summary>
    public const string CannotConnectNow = "57P03";

    public string SqlState { get; } = sqlState;
}
