namespace Redoubt.Operator.Runtime;

/// <summary>One line of a watch.</summary>
/// <param name="Type">Kind of change.</param>
/// <param name="Value">The object as it is after the change (as it last was, when deleted); for a bookmark only its resourceVersion counts.</param>
public readonly record struct WatchEvent<T>(WatchEventKind Type, T Value);
