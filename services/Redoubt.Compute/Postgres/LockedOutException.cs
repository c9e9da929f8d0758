namespace Redoubt.Compute.Postgres;

/// <summary>No superuser may log in, or no database lets anybody in.</summary>
public sealed class LockedOutException(string message) : Exception(message);
