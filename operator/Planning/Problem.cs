namespace Redoubt.Operator.Planning;

/// <summary>Something that is wrong with the cluster and that somebody may have to look at.</summary>
/// <param name="Reason">One word in camel case.</param>
/// <param name="Message">A sentence that says what to do, where that is known.</param>
/// <param name="Blocks">Whether the cluster cannot get on until it is solved.</param>
public sealed record Problem(string Reason, string Message, bool Blocks = false);
