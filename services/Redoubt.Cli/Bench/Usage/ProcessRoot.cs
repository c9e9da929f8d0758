namespace Redoubt.Cli.Bench.Usage;

/// <summary>A process that counts, with all below it.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="Role">The role of a process of the tree, from its command line.</param>
internal sealed record ProcessRoot(int Pid, Func<string, string> Role);
