namespace Redoubt.Wal;

public readonly ref partial struct BlockChange
{
    /// <summary>Bytes of <see cref="Encode"/>: everything but key and LSN, which stores keep in their own key.</summary>
    public int EncodedLength => throw new NotImplementedException();

    /// <summary>Writes the change (little-endian, varints for lengths) and returns the bytes written.</summary>
    public int Encode(Span<byte> destination) => throw new NotImplementedException();

    /// <summary>Reads what <see cref="Encode"/> wrote; the result views <paramref name="encoded"/>.</summary>
    /// <exception cref="WalFormatException">The bytes are not an encoded change.</exception>
    public static BlockChange Decode(PageKey key, Lsn lsn, ReadOnlySpan<byte> encoded) => throw new NotImplementedException();
}
