namespace Redoubt.Compute.Pages;

/// <summary>No segment could serve a page in time.</summary>
public sealed class PageUnavailableException(string message) : Exception(message);
