namespace Redoubt.Verify.Masks;

/// <summary>A page that cannot be masked because its header is not a page header.</summary>
public sealed class InvalidPageException(string message) : Exception(message);
