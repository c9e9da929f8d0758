namespace Redoubt.Verify;

/// <summary>A stock PostgreSQL could not be set up, started, driven or stopped. The message is one sentence that says what to do.</summary>
public sealed class StockPostgresException(string message) : Exception(message);
