using System.Buffers.Binary;
using Redoubt.Wal;

namespace Redoubt.Verify.Tests;

/// <summary>
/// Mutates real records and hands them to the splitter and to redo: flipped bits, random bytes, cut ends, wrong lengths, pages swapped or
/// damaged. Nothing but the library's own exceptions may come out, and no byte outside the page may change.
/// </summary>
public sealed class RecordFuzzer
{
    private const int Guard = 4096;
    private const byte Canary = 0xA5;

    private readonly PgVersion _version;
    private readonly FuzzCorpus _corpus;
    private readonly Random _random;
    private readonly byte[] _arena = new byte[PageRedo.PageSize + (2 * Guard)];
    private BlocksOnly<DelegateSink> _sink;
    private ControlState _control;
    private FuzzRecord _record;
    private byte[] _bytes = [];
    private int _blockOfRecord;

    public RecordFuzzer(PgVersion version, FuzzCorpus corpus, int seed)
    {
        _version = version;
        _corpus = corpus;
        _random = new Random(seed);
        _record = corpus.Records[0];
        _control = ControlState.Decode(corpus.Control);
        _arena.AsSpan().Fill(Canary);
        _sink = new BlocksOnly<DelegateSink>(new DelegateSink(Redo));
    }

    /// <summary>Records that the splitter took and records that it refused; changes that redo took and refused.</summary>
    public long SplitOk { get; private set; }

    public long SplitRefused { get; private set; }

    public long RedoOk { get; private set; }

    public long RedoRefused { get; private set; }

    /// <summary>One mutated record. Throws what must not happen, with the record in the message.</summary>
    public void Step()
    {
        _record = _corpus.Records[_random.Next(_corpus.Records.Count)];
        _bytes = Mutate(_record.Bytes);
        _blockOfRecord = 0;
        try
        {
            var record = new WalRecord(_record.Start, _record.End, _bytes);
            var sink = _sink;
            try
            {
                RecordSplitter.Split(_version, record, _control, ref sink);
                SplitOk++;
            }
            catch (WalFormatException)
            {
                SplitRefused++;
            }

            ApplyToControl(record);
        }
        catch (Exception bad) when (bad is not FuzzFailureException)
        {
            throw new FuzzFailureException(Describe(), bad);
        }
    }

    private void ApplyToControl(in WalRecord record)
    {
        try
        {
            if (_control.Apply(_version, record))
            {
                _control = ControlState.Decode(_corpus.Control);
            }
        }
        catch (WalFormatException)
        {
            _control = ControlState.Decode(_corpus.Control);
        }
    }

    private void Redo(in BlockChange change)
    {
        Span<byte> page = _arena.AsSpan(Guard, PageRedo.PageSize);
        ChoosePage(change.Key, page);
        try
        {
            PageRedo.Apply(_version, change, page);
            RedoOk++;
        }
        catch (RedoException)
        {
            RedoRefused++;
        }

        if (_arena.AsSpan(0, Guard).ContainsAnyExcept(Canary) || _arena.AsSpan(Guard + PageRedo.PageSize).ContainsAnyExcept(Canary))
        {
            throw new FuzzFailureException($"Redo wrote outside the page. {Describe()}", null);
        }
    }

    private void ChoosePage(in PageKey key, Span<byte> page)
    {
        var pages = _record.Pages;
        byte[]? before = null;
        foreach (var (candidate, bytes) in pages)
        {
            if (candidate == key)
            {
                before = bytes;
            }
        }

        before ??= pages.Count > 0 ? pages[_blockOfRecord++ % pages.Count].Page : null;
        switch (_random.Next(8))
        {
            case 0:
                page.Clear();
                return;
            case 1:
                var other = _corpus.Records[_random.Next(_corpus.Records.Count)];
                before = other.Pages.Count > 0 ? other.Pages[0].Page : before;
                break;
            case 2:
                _random.NextBytes(page);
                return;
        }

        if (before is null)
        {
            page.Clear();
            return;
        }

        before.CopyTo(page);
        if (_random.Next(3) == 0)
        {
            for (int flips = _random.Next(1, 4); flips > 0; flips--)
            {
                // Headers and line pointers more often than the rest: that is where trust would hurt.
                int at = _random.Next(2) == 0 ? _random.Next(64) : _random.Next(page.Length);
                page[at] ^= (byte)(1 << _random.Next(8));
            }
        }
    }

    private byte[] Mutate(byte[] original)
    {
        byte[] bytes = (byte[])original.Clone();
        switch (_random.Next(8))
        {
            case 0:
                return bytes;
            case 1 when bytes.Length > WalRecord.HeaderLength:
                bytes = bytes[.._random.Next(WalRecord.HeaderLength, bytes.Length)];
                if (_random.Next(2) == 0)
                {
                    BinaryPrimitives.WriteInt32LittleEndian(bytes, bytes.Length);
                }

                return bytes;
            case 2:
                int from = _random.Next(WalRecord.HeaderLength, bytes.Length + 1);
                _random.NextBytes(bytes.AsSpan(from, Math.Min(bytes.Length - from, _random.Next(1, 16))));
                return bytes;
            case 3 when bytes.Length > WalRecord.HeaderLength + 2:
                int length = _random.Next(WalRecord.HeaderLength, bytes.Length - 1);
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(length), (ushort)_random.Next(65536));
                return bytes;
            case 4:
                var other = _corpus.Records[_random.Next(_corpus.Records.Count)].Bytes;
                bytes[16] = other[16];
                bytes[17] = other[17];
                return bytes;
            default:
                for (int flips = _random.Next(1, 6); flips > 0; flips--)
                {
                    bytes[_random.Next(4, bytes.Length)] ^= (byte)(1 << _random.Next(8));
                }

                return bytes;
        }
    }

    private string Describe() =>
        $"{RmgrNames.Describe(_bytes[17], _bytes[16])} at {_record.Start}, record {Convert.ToHexString(_bytes.AsSpan(0, Math.Min(_bytes.Length, 400)))}";
}

/// <summary>Something that hostile bytes must not bring about.</summary>
public sealed class FuzzFailureException(string message, Exception? inner) : Exception($"{message}: {inner}", inner);
