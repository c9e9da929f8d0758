namespace Redoubt.Wal;

/// <summary>Receives the changes of pages that records mean, for those whom nothing else concerns (<see cref="BlocksOnly{TSink}"/>).
/// Implement as a struct: calls are generic and inlined.</summary>
public interface IBlockSink
{
    /// <summary>A page of a relation or SLRU changes.</summary>
    void Block(in BlockChange change);
}
