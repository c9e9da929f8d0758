using System.Buffers.Binary;
using System.Text;
using K4os.Compression.LZ4;
using Redoubt.Wal;

namespace Redoubt.Protocol;

/// <summary>Makes the bodies of import entries; see <see cref="ImportItem"/> for their layout. Keeps its buffers; not thread-safe.
/// Every result is valid until the next call.</summary>
public sealed class ImportItemWriter
{
    private readonly byte[] _payload = new byte[ImportItem.MaxPayload];
    private readonly byte[] _body = new byte[ImportItem.HeaderLength + LZ4Codec.MaximumOutputSize(ImportItem.MaxPayload)];
    private readonly PageKey[] _keys = new PageKey[ImportItem.MaxPages];
    private readonly byte[] _pages = new byte[ImportItem.MaxPages * PageRedo.PageSize];
    private int _count;

    /// <summary>Pages added since the last <see cref="FinishPages"/>.</summary>
    public int PageCount => _count;

    /// <summary>True when <see cref="FinishPages"/> must come before the next <see cref="AddPage"/>.</summary>
    public bool IsFull => _count == ImportItem.MaxPages;

    /// <summary>Adds one page of 8192 bytes to the item in the making.</summary>
    public void AddPage(in PageKey key, ReadOnlySpan<byte> page)
    {
        _keys[_count] = key;
        page[..PageRedo.PageSize].CopyTo(_pages.AsSpan(_count * PageRedo.PageSize));
        _count++;
    }

    /// <summary>The item of all pages added.</summary>
    public ReadOnlyMemory<byte> FinishPages()
    {
        BinaryPrimitives.WriteInt32LittleEndian(_payload, _count);
        int at = 4;
        for (int i = 0; i < _count; i++, at += PageKey.EncodedLength)
        {
            _keys[i].Write(_payload.AsSpan(at));
        }

        _pages.AsSpan(0, _count * PageRedo.PageSize).CopyTo(_payload.AsSpan(at));
        at += _count * PageRedo.PageSize;
        _count = 0;
        return Finish(ImportItemKind.Pages, at);
    }

    /// <summary>A fork and its number of blocks.</summary>
    public ReadOnlyMemory<byte> ForkSize(in RelFileLocator rel, Fork fork, uint blocks)
    {
        new PageKey(rel, fork, blocks).Write(_payload);
        return Finish(ImportItemKind.ForkSize, PageKey.EncodedLength);
    }

    /// <summary>A small file.</summary>
    /// <exception cref="ArgumentException">It does not fit one item.</exception>
    public ReadOnlyMemory<byte> File(string path, ReadOnlySpan<byte> contents)
    {
        int pathLength = Encoding.UTF8.GetByteCount(path);
        if (pathLength > ushort.MaxValue || 2 + pathLength + contents.Length > _payload.Length)
        {
            throw new ArgumentException($"'{path}' of {contents.Length} bytes is not a small file");
        }

        BinaryPrimitives.WriteUInt16LittleEndian(_payload, (ushort)pathLength);
        Encoding.UTF8.GetBytes(path, _payload.AsSpan(2));
        contents.CopyTo(_payload.AsSpan(2 + pathLength));
        return Finish(ImportItemKind.File, 2 + pathLength + contents.Length);
    }

    /// <summary>A database's folder in a tablespace.</summary>
    public ReadOnlyMemory<byte> Database(uint oid, uint spcOid)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_payload, oid);
        BinaryPrimitives.WriteUInt32LittleEndian(_payload.AsSpan(4), spcOid);
        return Finish(ImportItemKind.Database, 8);
    }

    /// <summary>A tablespace; an empty path is an in-place one.</summary>
    public ReadOnlyMemory<byte> Tablespace(uint oid, string path)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_payload, oid);
        return Finish(ImportItemKind.Tablespace, 4 + Encoding.UTF8.GetBytes(path, _payload.AsSpan(4)));
    }

    /// <summary>The counters of the imported cluster.</summary>
    public ReadOnlyMemory<byte> Control(ReadOnlySpan<byte> encoded)
    {
        encoded.CopyTo(_payload);
        return Finish(ImportItemKind.Control, encoded.Length);
    }

    private ReadOnlyMemory<byte> Finish(ImportItemKind kind, int length)
    {
        _body[0] = (byte)kind;
        BinaryPrimitives.WriteInt32LittleEndian(_body.AsSpan(2), length);
        int compressed = length < 256 ? 0 : LZ4Codec.Encode(_payload.AsSpan(0, length), _body.AsSpan(ImportItem.HeaderLength));
        if (compressed > 0 && compressed < length)
        {
            _body[1] = 1;
            return _body.AsMemory(0, ImportItem.HeaderLength + compressed);
        }

        _body[1] = 0;
        _payload.AsSpan(0, length).CopyTo(_body.AsSpan(ImportItem.HeaderLength));
        return _body.AsMemory(0, ImportItem.HeaderLength + length);
    }
}
