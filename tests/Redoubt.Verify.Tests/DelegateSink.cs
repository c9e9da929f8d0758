using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>Hands block changes to a delegate.</summary>
internal readonly struct DelegateSink(DelegateSink.ChangeHandler handler) : IBlockSink
{
    public delegate void ChangeHandler(in BlockChange change);

    public void Block(in BlockChange change) => handler(change);
}
