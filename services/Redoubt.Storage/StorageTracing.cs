using System.Diagnostics;

namespace Redoubt.Storage;

/// <summary>Traces of the append, apply and page paths; free while nobody listens.</summary>
internal static class StorageTracing
{
    public const string Name = "Redoubt.Storage";

    public static readonly ActivitySource Source = new(Name);
}
