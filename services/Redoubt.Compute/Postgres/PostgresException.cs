namespace Redoubt.Compute.Postgres;

/// <summary>PostgreSQL or one of its programs did not do what was asked.</summary>
public sealed class PostgresException(string message) : Exception(message);
