using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Verify.Bench;

/// <summary>Block changes on their way to one worker: key, LSN, length and the encoded change, one after the other.</summary>
internal sealed class ChangeBatch
{
    private const int HeaderLength = PageKey.EncodedLength + 8 + 4;

    private byte[] _bytes = new byte[256 * 1024];

    public int Length { get; private set; }

    public int Count { get; private set; }

    /// <summary>True when it is worth handing over.</summary>
    public bool IsFull => Length > 192 * 1024;

    public void Clear()
    {
        Length = 0;
        Count = 0;
    }

    public void Add(in BlockChange change)
    {
        int length = change.EncodedLength;
        if (_bytes.Length - Length < HeaderLength + length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + HeaderLength + length));
        }

        Span<byte> at = _bytes.AsSpan(Length);
        change.Key.Write(at);
        BinaryPrimitives.WriteUInt64LittleEndian(at[PageKey.EncodedLength..], change.Lsn.Value);
        BinaryPrimitives.WriteInt32LittleEndian(at[(PageKey.EncodedLength + 8)..], length);
        change.Encode(at.Slice(HeaderLength, length));
        Length += HeaderLength + length;
        Count++;
    }

    /// <summary>Applies all changes in order.</summary>
    public void ApplyTo(PgVersion version, Pages.PageStore pages)
    {
        ReadOnlySpan<byte> rest = _bytes.AsSpan(0, Length);
        while (!rest.IsEmpty)
        {
            var key = PageKey.Read(rest);
            var lsn = new Lsn(BinaryPrimitives.ReadUInt64LittleEndian(rest[PageKey.EncodedLength..]));
            int length = BinaryPrimitives.ReadInt32LittleEndian(rest[(PageKey.EncodedLength + 8)..]);
            PageRedo.Apply(version, BlockChange.Decode(key, lsn, rest.Slice(HeaderLength, length)), pages.Require(key));
            rest = rest[(HeaderLength + length)..];
        }
    }
}
