using Redoubt.Storage.Rocks;
using Redoubt.Wal;

namespace Redoubt.Storage.Pages;

/// <summary>Makes pages out of images and changes. Keeps its buffers; one at a time per instance.</summary>
internal sealed class PageReader(PgVersion version)
{
    private readonly List<(int Offset, int Length, ulong Lsn)> _changes = [];
    private byte[] _bytes = new byte[16 << 10];
    private int _used;

    /// <summary>Changes that the last <see cref="Read"/> applied.</summary>
    public int ChainLength { get; private set; }

    /// <summary>LSN of the version that the last <see cref="Read"/> made; 0 for none.</summary>
    public ulong VersionLsn { get; private set; }

    /// <summary>True when the last <see cref="Read"/> found a row at all.</summary>
    public bool HasRows { get; private set; }

    /// <summary>Makes the newest version at or below <paramref name="readPoint"/> and above <paramref name="floor"/>.</summary>
    /// <param name="iterator">A view of the store.</param>
    /// <param name="key">The page.</param>
    /// <param name="readPoint">R.</param>
    /// <param name="floor">From <see cref="CutTable.Floor"/>, asked before the iterator was made.</param>
    /// <param name="page">8192 bytes; all zero when there is no version.</param>
    /// <returns>False when there is no version.</returns>
    /// <exception cref="StoreCorruptException">A row fails its CRC, or redo refuses a change. The bytes of <paramref name="page"/> mean nothing.</exception>
    public bool Read(Iterator iterator, in PageKey key, ulong readPoint, ulong floor, Span<byte> page)
    {
        _changes.Clear();
        _used = 0;
        VersionLsn = 0;
        HasRows = false;
        ChainLength = 0;
        page.Clear();
        Span<byte> seek = stackalloc byte[StoreKeys.PageLength];
        StoreKeys.WritePage(seek, key, readPoint, StoreKeys.AfterAll);
        var prefix = seek[..StoreKeys.PagePrefix];
        for (iterator.SeekForPrev((ReadOnlySpan<byte>)seek); iterator.Valid(); iterator.Prev())
        {
            var rowKey = iterator.GetKeySpan();
            if (rowKey.Length != StoreKeys.PageLength || !rowKey.StartsWith(prefix))
            {
                break;
            }

            ulong lsn = StoreKeys.PageLsn(rowKey);
            if (lsn <= floor && floor != 0)
            {
                break;
            }

            HasRows = true;
            var payload = RowValue.Open(key, lsn, iterator.GetValueSpan(), out var kind);
            if (kind == RowKind.Image)
            {
                payload.CopyTo(page);
                VersionLsn = Math.Max(VersionLsn, lsn);
                break;
            }

            Push(key, lsn, payload, readPoint);
            if (kind == RowKind.FirstChange)
            {
                break;
            }
        }

        if (!iterator.Valid())
        {
            PageStore.Check(iterator);
        }

        for (int i = _changes.Count - 1; i >= 0; i--)
        {
            var (offset, length, lsn) = _changes[i];
            try
            {
                PageRedo.Apply(version, BlockChange.Decode(key, new Lsn(lsn), _bytes.AsSpan(offset, length)), page);
            }
            catch (Exception e) when (e is RedoException or WalFormatException)
            {
                throw new StoreCorruptException($"{key} at {new Lsn(lsn)} cannot be redone: {e.Message}");
            }
        }

        ChainLength = _changes.Count;
        return HasRows;
    }

    /// <summary>Keeps a run's changes up to the read point; newest first, as the rows come.</summary>
    private void Push(in PageKey key, ulong first, ReadOnlySpan<byte> payload, ulong readPoint)
    {
        if (_bytes.Length < _used + payload.Length)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, _used + payload.Length));
        }

        payload.CopyTo(_bytes.AsSpan(_used));
        int oldest = _changes.Count;
        var run = new ChangeRunReader(key, first, payload);
        while (run.MoveNext() && run.Lsn <= readPoint)
        {
            _changes.Add((_used + run.Offset, run.Length, run.Lsn));
            VersionLsn = Math.Max(VersionLsn, run.Lsn);
        }

        _changes.Reverse(oldest, _changes.Count - oldest);
        _used += payload.Length;
    }
}
