namespace Redoubt.Storage.Pages;

/// <summary>A row or block of the page store fails its CRC, or cannot be redone. Nothing of it is served.</summary>
public sealed class StoreCorruptException(string message) : Exception(message);
