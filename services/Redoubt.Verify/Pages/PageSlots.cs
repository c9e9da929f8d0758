using System.IO.MemoryMappedFiles;

namespace Redoubt.Verify.Pages;

/// <summary>
/// 8,192-byte slots in a file without a name, mapped piece by piece: the kernel keeps in memory what is used and writes out the rest,
/// so that millions of pages cost address space, not memory. Not thread-safe, but different slots may be used by different threads.
/// </summary>
internal sealed unsafe class PageSlots : IDisposable
{
    private const int PageSize = 8192;
    private const int SlotsPerPiece = 32768;

    private readonly FileStream _file;
    private readonly List<(MemoryMappedFile Map, MemoryMappedViewAccessor View)> _pieces = [];
    private nint[] _addresses = [];
    private readonly Stack<int> _free = new();
    private int _used;

    public PageSlots(string folder)
    {
        string path = Path.Combine(folder, $"pages-{Guid.NewGuid():N}");
        _file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite, 1, FileOptions.DeleteOnClose);
    }

    /// <summary>Slots in use.</summary>
    public int Count => _used - _free.Count;

    /// <summary>A slot of zeros.</summary>
    public int Take()
    {
        if (_free.TryPop(out int slot))
        {
            Span(slot).Clear();
            return slot;
        }

        if (_used == _pieces.Count * SlotsPerPiece)
        {
            Grow();
        }

        return _used++;
    }

    public void Return(int slot) => _free.Push(slot);

    public Span<byte> Span(int slot) =>
        new((void*)(_addresses[(uint)slot / SlotsPerPiece] + ((nint)((uint)slot % SlotsPerPiece) * PageSize)), PageSize);

    public void Dispose()
    {
        foreach (var (map, view) in _pieces)
        {
            view.SafeMemoryMappedViewHandle.ReleasePointer();
            view.Dispose();
            map.Dispose();
        }

        _pieces.Clear();
        _file.Dispose();
    }

    private void Grow()
    {
        const long pieceBytes = (long)SlotsPerPiece * PageSize;
        long at = _pieces.Count * pieceBytes;
        _file.SetLength(at + pieceBytes);
        var map = MemoryMappedFile.CreateFromFile(_file, null, 0, MemoryMappedFileAccess.ReadWrite, HandleInheritability.None, leaveOpen: true);
        var view = map.CreateViewAccessor(at, pieceBytes);
        byte* address = null;
        view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
        _pieces.Add((map, view));
        _addresses = [.. _addresses, (nint)(address + view.PointerOffset)];
    }
}
