namespace Redoubt.Wal;

/// <summary>Comparisons in the circle of 32-bit transaction and multixact ids (access/transam/transam.c, multixact.c).</summary>
internal static class XidMath
{
    /// <summary><c>FirstNormalTransactionId</c>.</summary>
    public const uint FirstNormal = 3;

    /// <summary><c>TransactionIdPrecedes</c>: special ids precede normal ones.</summary>
    public static bool Precedes(uint a, uint b) => a < FirstNormal || b < FirstNormal ? a < b : (int)(a - b) < 0;

    /// <summary><c>MultiXactIdPrecedes</c>, <c>MultiXactOffsetPrecedes</c>.</summary>
    public static bool MultiPrecedes(uint a, uint b) => (int)(a - b) < 0;
}
