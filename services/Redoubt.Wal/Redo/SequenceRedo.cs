using System.Buffers.Binary;

namespace Redoubt.Wal.Redo;

/// <summary>Sequences (<c>seq_redo</c>, commands/sequence.c): every record holds the whole page's one tuple.</summary>
internal static class SequenceRedo
{
    private const uint Magic = 0x1717;
    private const int RelFileLocatorLength = 12;

    public static void Apply(in BlockChange change, Span<byte> page)
    {
        if (change.MainData.Length <= RelFileLocatorLength)
        {
            BufPage.Fail(change, "the record has no tuple");
        }

        BufPage.Init(page, 4);
        BinaryPrimitives.WriteUInt32LittleEndian(page[BufPage.GetSpecial(page)..], Magic);
        BufPage.AddItem(change, page, change.MainData[RelFileLocatorLength..], 1);
        BufPage.SetLsn(page, change.Lsn);
    }
}
