using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>A heap tuple's header (<c>HeapTupleHeaderData</c>, access/htup_details.h) in place on a page.</summary>
internal readonly ref struct HeapTuple(Span<byte> bytes)
{
    /// <summary><c>SizeofHeapTupleHeader</c>.</summary>
    public const int HeaderLength = 23;

    /// <summary><c>MaxHeapTupleSize</c>.</summary>
    public const int MaxLength = BufPage.Size - (BufPage.HeaderSize + 8);

    public const ushort XmaxKeyShareLock = 0x0010;
    public const ushort ComboCid = 0x0020;
    public const ushort XmaxExclusiveLock = 0x0040;
    public const ushort XmaxLockOnly = 0x0080;
    public const ushort XmaxIsMulti = 0x1000;
    public const ushort Moved = 0xC000;

    /// <summary><c>HEAP_XMAX_BITS</c>.</summary>
    public const ushort XmaxBits = 0x1CD0;

    // t_infomask2
    public const ushort KeysUpdated = 0x2000;
    public const ushort HotUpdated = 0x4000;

    private readonly Span<byte> _bytes = bytes;

    /// <summary>The whole tuple, header first.</summary>
    public Span<byte> Bytes => _bytes;

    public uint Xmin
    {
        set => BinaryPrimitives.WriteUInt32LittleEndian(_bytes, value);
    }

    public uint Xmax
    {
        set => BinaryPrimitives.WriteUInt32LittleEndian(_bytes[4..], value);
    }

    /// <summary><c>t_cid</c> or <c>t_xvac</c>.</summary>
    public uint Field3
    {
        set => BinaryPrimitives.WriteUInt32LittleEndian(_bytes[8..], value);
    }

    public ushort Infomask2
    {
        get => BinaryPrimitives.ReadUInt16LittleEndian(_bytes[18..]);
        set => BinaryPrimitives.WriteUInt16LittleEndian(_bytes[18..], value);
    }

    public ushort Infomask
    {
        get => BinaryPrimitives.ReadUInt16LittleEndian(_bytes[20..]);
        set => BinaryPrimitives.WriteUInt16LittleEndian(_bytes[20..], value);
    }

    /// <summary><c>t_hoff</c>: where the tuple's data begins.</summary>
    public byte DataOffset
    {
        get => _bytes[22];
        set => _bytes[22] = value;
    }

    /// <summary>True when xmax only locks (<c>HEAP_XMAX_IS_LOCKED_ONLY</c>).</summary>
    public bool IsLockedOnly => (Infomask & XmaxLockOnly) != 0
        || (Infomask & (XmaxIsMulti | XmaxExclusiveLock | XmaxKeyShareLock)) == XmaxExclusiveLock;

    public void SetCtid(uint block, int offset)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes[12..], (ushort)(block >> 16));
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes[14..], (ushort)block);
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes[16..], (ushort)offset);
    }

    /// <summary><c>HeapTupleHeaderSetCmin</c>, <c>SetCmax</c> with <c>FirstCommandId</c>: redo does not know the command.</summary>
    public void SetFirstCommand()
    {
        Field3 = 0;
        Infomask = (ushort)(Infomask & ~ComboCid);
    }

    /// <summary>Forgets xmax's bits and sets those of the record (<c>fix_infomask_from_infobits</c>).</summary>
    public void SetXmaxBits(byte infobits)
    {
        const byte isMulti = 0x01;
        const byte lockOnly = 0x02;
        const byte exclusiveLock = 0x04;
        const byte keyShareLock = 0x08;
        const byte keysUpdated = 0x10;
        int mask = Infomask & ~(XmaxBits | Moved);
        mask |= (infobits & isMulti) != 0 ? XmaxIsMulti : 0;
        mask |= (infobits & lockOnly) != 0 ? XmaxLockOnly : 0;
        mask |= (infobits & exclusiveLock) != 0 ? XmaxExclusiveLock : 0;
        mask |= (infobits & keyShareLock) != 0 ? XmaxKeyShareLock : 0;
        Infomask = (ushort)mask;
        int mask2 = Infomask2 & ~KeysUpdated;
        mask2 |= (infobits & keysUpdated) != 0 ? KeysUpdated : 0;
        Infomask2 = (ushort)mask2;
    }

    public void SetHotUpdated(bool value) =>
        Infomask2 = (ushort)(value ? Infomask2 | HotUpdated : Infomask2 & ~HotUpdated);

    /// <summary>The tuple at an offset number, whose line pointer must be normal.</summary>
    public static HeapTuple At(in BlockChange change, Span<byte> page, int offset)
    {
        ItemId id = BufPage.CheckedItemId(change, page, offset);
        if (!id.IsNormal)
        {
            BufPage.Fail(change, $"line pointer {offset} is not a normal one");
        }

        Span<byte> item = BufPage.Item(change, page, offset);
        if (item.Length < HeaderLength)
        {
            BufPage.Fail(change, $"the tuple at {offset} has only {item.Length} bytes");
        }

        return new HeapTuple(item);
    }

    /// <summary>
    /// Makes a tuple in <paramref name="buffer"/> from what a record holds of it: fixed header fields zero but for those given, then data
    /// from the null bitmap on. Returns the tuple's length.
    /// </summary>
    public static int Build(
        in BlockChange change, Span<byte> buffer, ushort infomask2, ushort infomask, byte dataOffset, scoped ReadOnlySpan<byte> data)
    {
        int length = HeaderLength + data.Length;
        if (length > MaxLength || dataOffset < HeaderLength || dataOffset > length)
        {
            BufPage.Fail(change, $"a tuple of {length} bytes with its data at {dataOffset} is impossible");
        }

        buffer[..HeaderLength].Clear();
        data.CopyTo(buffer[HeaderLength..]);
        var tuple = new HeapTuple(buffer[..length])
        {
            Infomask2 = infomask2,
            Infomask = infomask,
            DataOffset = dataOffset,
            Xmin = change.Xid,
        };
        tuple.SetFirstCommand();
        return length;
    }
}
