namespace Redoubt.Storage.Chain;

/// <summary>What became of a frame that was offered to the chain.</summary>
public enum ChainOffer
{
    /// <summary>The gap-free chain grew.</summary>
    Extended,

    /// <summary>It lies beyond a gap and waits.</summary>
    Kept,

    /// <summary>Everything in it is here already.</summary>
    Duplicate,

    /// <summary>A newer epoch truncated all of it.</summary>
    Void,

    /// <summary>Its range is here already, written under another epoch: the caller must compare the bytes.</summary>
    OtherEpoch,
}
