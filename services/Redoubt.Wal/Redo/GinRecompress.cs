using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Redoubt.Wal.Redo;

/// <summary>
/// Changes of a posting tree's leaf page (<c>ginxlogRecompressDataLeaf</c>, access/ginxlog.h): a list of actions on the page's compressed
/// segments, each named by its number on the page as it was.
/// </summary>
internal static class GinRecompress
{
    private const byte DeleteSegment = 1;
    private const byte InsertSegment = 2;
    private const byte ReplaceSegment = 3;
    private const byte AddItems = 4;

    /// <summary>Applies <c>nactions</c> and the actions behind it.</summary>
    [SkipLocalsInit]
    public static void Apply(in BlockChange change, Span<byte> page, ReadOnlySpan<byte> actions)
    {
        Span<byte> opaque = GinOpaque.Of(change, page);
        if ((GinOpaque.Flags(opaque) & GinOpaque.Compressed) == 0)
        {
            Compress(change, page, opaque);
        }

        int size = BufPage.GetLower(page) - GinOpaque.DataAt;
        if ((uint)size > GinOpaque.MaxDataSize)
        {
            BufPage.Fail(change, $"posting lists of {size} bytes");
        }

        // The segments are read from a copy, so that the page can be written from its start.
        Span<byte> copy = stackalloc byte[GinOpaque.MaxDataSize];
        page.Slice(GinOpaque.DataAt, size).CopyTo(copy);
        ReadOnlySpan<byte> old = copy[..size];
        Span<byte> target = page.Slice(GinOpaque.DataAt, GinOpaque.MaxDataSize);
        int read = 0, written = 0, segment = 0;

        var cursor = new RedoCursor(actions);
        for (int left = cursor.UInt16(change); left > 0; left--)
        {
            int number = cursor.Byte(change);
            byte action = cursor.Byte(change);
            if (number < segment)
            {
                BufPage.Fail(change, $"action on segment {number} after one on {segment}");
            }

            for (; segment < number; segment++)
            {
                int length = GinPostingList.Length(change, old[read..]);
                Put(change, target, ref written, old.Slice(read, length));
                read += length;
            }

            if (action != InsertSegment)
            {
                int length = GinPostingList.Length(change, old[read..]);
                if (action == AddItems)
                {
                    ReadOnlySpan<byte> items = cursor.Take(change, cursor.UInt16(change) * IndexTuple.TidSize);
                    written += GinPostingList.Merge(change, old.Slice(read, length), items, target[written..]);
                }

                read += length;
                segment++;
            }

            switch (action)
            {
                case InsertSegment or ReplaceSegment:
                    int length = GinPostingList.Length(change, cursor.Rest);
                    Put(change, target, ref written, cursor.Take(change, length));
                    break;
                case DeleteSegment or AddItems:
                    break;
                default:
                    BufPage.Fail(change, $"action {action} on a segment");
                    break;
            }
        }

        Put(change, target, ref written, old[read..]);
        GinOpaque.SetDataSize(change, page, written);
    }

    private static void Put(in BlockChange change, Span<byte> target, ref int written, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > target.Length - written)
        {
            BufPage.Fail(change, "posting lists do not fit on the page");
        }

        bytes.CopyTo(target[written..]);
        written += bytes.Length;
    }

    /// <summary>A page from before 9.4 holds plain TIDs, maxoff of them: they become one segment first.</summary>
    [SkipLocalsInit]
    private static void Compress(in BlockChange change, Span<byte> page, Span<byte> opaque)
    {
        int count = GinOpaque.MaxOffset(opaque);
        int length = count * IndexTuple.TidSize;
        if (length > GinOpaque.MaxDataSize)
        {
            BufPage.Fail(change, $"{count} TIDs on a page");
        }

        int size = 0;
        if (count > 0)
        {
            Span<byte> tids = stackalloc byte[GinOpaque.MaxDataSize];
            page.Slice(GinOpaque.DataAt, length).CopyTo(tids);
            size = GinPostingList.Merge(change, default, tids[..length], page.Slice(GinOpaque.DataAt, GinOpaque.MaxDataSize));
        }

        GinOpaque.SetDataSize(change, page, size);
        GinOpaque.SetFlags(opaque, GinOpaque.Flags(opaque) | GinOpaque.Compressed);
        GinOpaque.SetMaxOffset(opaque, 0);
    }
}
