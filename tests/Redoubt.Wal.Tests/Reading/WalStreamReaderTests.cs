using CsCheck;

namespace Redoubt.Wal.Tests.Reading;

/// <summary>The reader on logs that PostgreSQL wrote, whole, in pieces, and damaged.</summary>
public sealed class WalStreamReaderTests
{
    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Reads_every_record_that_postgres_wrote(PgVersion version)
    {
        RealLog log = await RealLog.GetAsync(version);
        var kinds = new HashSet<string>();
        Lsn last = default;
        bool crossedPage = false;
        log.ForEach(log.NewControl(), (in WalRecord record) =>
        {
            kinds.Add($"{RmgrNames.Rmgr(record.Rmgr)} {RmgrNames.Kind(version, record.Rmgr, record.Info)}");
            Assert.True(record.Start >= last);
            crossedPage |= WalAddress.PageStart(record.Start) != WalAddress.PageStart(record.Start + (ulong)(record.Bytes.Length - 1));
            last = record.End;
        });

        Assert.True(crossedPage);
        string[] expected =
        [
            "Heap INSERT", "Heap HOT_UPDATE", "Heap DELETE", "Heap2 MULTI_INSERT", "Heap2 VISIBLE", "Heap2 PRUNE_VACUUM_SCAN", "Btree INSERT_LEAF",
            "Btree SPLIT_R", "XLOG SWITCH", "XLOG CHECKPOINT_ONLINE", "XLOG NEXTOID", "XLOG PARAMETER_CHANGE", "Transaction COMMIT",
            "Transaction ABORT", "Transaction PREPARE", "Transaction COMMIT_PREPARED", "Transaction ABORT_PREPARED", "Transaction ASSIGNMENT",
            "Storage CREATE", "Storage TRUNCATE", "Database CREATE_FILE_COPY", "Database CREATE_WAL_LOG", "Database DROP", "Sequence LOG",
            "LogicalMessage MESSAGE", "Standby RUNNING_XACTS",
        ];
        Assert.Empty(expected.Except(kinds));
        Assert.DoesNotContain(kinds, kind => kind.Contains("UNKNOWN"));
    }

    [Fact]
    public void A_record_of_more_than_64_MiB_is_put_together_across_pages_and_files()
    {
        const byte message = 0;
        byte[] content = new byte[70 << 20];
        new Random(70).NextBytes(content);
        var start = new Lsn(0x1000028);
        var log = new TestLog(PgVersion.Pg18, start, Lsn.Invalid);
        log.AddRecord(RmgrId.LogicalMessage, message, content);
        log.AddRecord(RmgrId.LogicalMessage, message, [1, 2, 3]);
        byte[] bytes = log.Bytes;
        using var reader = new WalStreamReader(PgVersion.Pg18, start);
        var lengths = new List<int>();
        for (int at = 0; at < bytes.Length;)
        {
            int length = Math.Min(1 << 20, bytes.Length - at);
            reader.Append(log.At + (ulong)at, bytes.AsSpan(at, length));
            at += length;
            while (reader.TryRead(out WalRecord record))
            {
                lengths.Add(record.Bytes.Length);
                RecordParts.Parse(record, out RecordParts parts);
                Assert.True(parts.MainData.Length == 3 || parts.MainData.SequenceEqual(content));
            }
        }

        Assert.Equal([content.Length + 29, 32], lengths);
        Assert.Equal(log.End, reader.Position);
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Pieces_of_any_size_give_the_same_records(PgVersion version)
    {
        RealLog log = await RealLog.GetAsync(version);
        ControlState control = log.NewControl();
        byte[] bytes = log.ReadFrom(control.Lsn);
        var whole = new List<(Lsn, Lsn, uint)>();
        log.ForEach(control, (in WalRecord record) => whole.Add((record.Start, record.End, Crc32C.Compute(record.Bytes))));

        Gen.Int[1, 40_000].Array[1, 50].Sample(
            sizes =>
            {
                using var reader = new WalStreamReader(version, control.Lsn);
                Lsn at = WalAddress.PageStart(control.Lsn);
                var pieces = new List<(Lsn, Lsn, uint)>();
                int offset = 0;
                for (int i = 0; offset < bytes.Length; i++)
                {
                    int size = Math.Min(sizes[i % sizes.Length] + (sizes.Length * 100), bytes.Length - offset);
                    reader.Append(at + (ulong)offset, bytes.AsSpan(offset, size));
                    offset += size;
                    while (reader.Position < log.End && reader.TryRead(out WalRecord record))
                    {
                        pieces.Add((record.Start, record.End, Crc32C.Compute(record.Bytes)));
                    }

                    if (reader.Position >= log.End)
                    {
                        break;
                    }
                }

                Assert.Equal(whole, pieces);
            },
            iter: 20,
            threads: 1);
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Reading_splitting_and_following_allocate_nothing_per_record(PgVersion version)
    {
        RealLog log = await RealLog.GetAsync(version);
        byte[] bytes = log.ReadFrom(log.NewControl().Lsn);
        ReadAll(log, bytes, out _);
        long before = GC.GetAllocatedBytesForCurrentThread();
        ReadAll(log, bytes, out int records);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        // The reader, the counters and what a parameter change costs: a few objects however long the log is.
        Assert.True(records > 50_000, $"only {records} records");
        Assert.True(allocated < 20_000, $"{allocated} bytes for {records} records");
    }

    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task A_flipped_bit_anywhere_in_a_record_is_an_error(PgVersion version)
    {
        RealLog log = await RealLog.GetAsync(version);
        ControlState control = log.NewControl();
        byte[] bytes = log.ReadFrom(control.Lsn)[..(64 * 1024)];
        Lsn page = WalAddress.PageStart(control.Lsn);
        int from = (int)(control.Lsn - page);
        Gen.Select(Gen.Int[from, bytes.Length - 9000], Gen.Int[0, 7]).Sample(
            (at, bit) =>
            {
                byte[] damaged = (byte[])bytes.Clone();
                damaged[at] ^= (byte)(1 << bit);
                using var reader = new WalStreamReader(version, control.Lsn, control.LastRecordStart);
                reader.Append(page, damaged);
                Lsn hit = page + (ulong)at;
                try
                {
                    while (reader.TryRead(out WalRecord record))
                    {
                        // Padding between records belongs to none of them.
                        bool covers = record.Start <= hit && hit < record.Start + (ulong)record.Bytes.Length;
                        Assert.False(covers && WalAddress.PageStart(record.Start) == WalAddress.PageStart(record.End), $"{hit} was not noticed");
                        if (record.Start > hit)
                        {
                            return;
                        }
                    }
                }
                catch (WalFormatException)
                {
                    return;
                }

                // A length made longer waits for bytes that are not there.
                Assert.True(reader.Position <= hit);
            },
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void Random_bytes_never_do_more_than_throw_a_format_error() => Gen.Select(Gen.Byte.Array[0, 20_000], Gen.Int[0, 3]).Sample((bytes, kind) =>
    {
        using var reader = new WalStreamReader(PgVersion.Pg17, new Lsn(0x1000028));
        try
        {
            reader.Append(new Lsn(0x1000028), bytes);
            while (reader.TryRead(out WalRecord record))
            {
                RecordParts.Parse(record, out _);
            }
        }
        catch (WalFormatException)
        {
        }
    });

    [Fact]
    public void An_overwritten_continuation_makes_the_record_never_have_been()
    {
        // A record that crosses into the next page, whose continuation never came: after the crash the next page starts anew.
        var start = new Lsn(0x1000000 + (3 * 8192) - 32);
        var log = new TestLog(PgVersion.Pg17, start, new Lsn(0x1000100));
        log.AddRecord(RmgrId.LogicalMessage, 0, new byte[500]);
        var cut = log.Bytes[..(int)(new Lsn(0x1000000 + (3 * 8192)) - log.At)];
        var after = new TestLog(PgVersion.Pg17, new Lsn(0x1000000 + (3 * 8192)), new Lsn(0x1000100), firstPageFlags: 0x0008);
        after.AddRecord(RmgrId.Xlog, 0xD0, new byte[16]);

        using var reader = new WalStreamReader(PgVersion.Pg17, start, new Lsn(0x1000100));
        reader.Append(start, cut.AsSpan((int)(start - log.At)));
        Assert.False(reader.TryRead(out _));
        reader.Append(after.At, after.Bytes);
        Assert.True(reader.TryRead(out WalRecord record));
        Assert.Equal(0xD0, record.Info);
        Assert.Equal(after.At + 24, record.Start);
        Assert.False(reader.TryRead(out _));
    }

    [Fact]
    public void Zeros_are_the_end_until_bytes_replace_them()
    {
        var log = new TestLog(PgVersion.Pg18, new Lsn(0x1000028), Lsn.Invalid);
        log.AddRecord(RmgrId.Xlog, 0x20, new byte[100]);
        Lsn second = log.End;
        log.AddRecord(RmgrId.Xlog, 0x20, new byte[9000]);
        byte[] bytes = log.Bytes;
        byte[] torn = (byte[])bytes.Clone();
        torn.AsSpan((int)(second - log.At)).Clear();

        using var reader = new WalStreamReader(PgVersion.Pg18, new Lsn(0x1000028));
        reader.Append(log.At, torn);
        Assert.True(reader.TryRead(out _));
        Assert.False(reader.TryRead(out _));
        reader.Append(second, bytes.AsSpan((int)(second - log.At)));
        Assert.True(reader.TryRead(out WalRecord record));
        Assert.Equal(second, record.Start);
        Assert.Equal(log.End, record.End);
    }

    [Fact]
    public void Every_record_length_at_every_place_of_a_page_reads_back() =>
        Gen.Select(Gen.Int[0, 1020], Gen.Int[0, 40_000].Array[1, 5], Gen.Bool).Sample((slot, lengths, nearSegmentEnd) =>
        {
            ulong page = nearSegmentEnd ? 0x1FFE000UL : 0x1002000UL;
            var start = WalAddress.NextRecordStart(new Lsn(page + 24 + (8 * (ulong)(slot % 1021))));
            var log = new TestLog(PgVersion.Pg17, start, new Lsn(0x1000028));
            var ends = new List<Lsn>();
            foreach (int length in lengths)
            {
                log.AddRecord(RmgrId.LogicalMessage, 0, new byte[length]);
                ends.Add(log.End);
            }

            using var reader = new WalStreamReader(PgVersion.Pg17, start);
            reader.Append(log.At, log.Bytes);
            foreach (Lsn end in ends)
            {
                Assert.True(reader.TryRead(out WalRecord record));
                Assert.Equal(end, record.End);
                Assert.Equal(end, WalAddress.RecordEnd(record.Start, (uint)record.Bytes.Length));
            }
        });

    private static void ReadAll(RealLog log, byte[] bytes, out int records)
    {
        records = 0;
        ControlState control = log.NewControl();
        using var reader = new WalStreamReader(log.Version, control.Lsn, control.LastRecordStart);
        Lsn at = WalAddress.PageStart(control.Lsn);
        var sink = new CountingSink();
        for (int offset = 0; offset < bytes.Length && reader.Position < log.End; offset += 50_000)
        {
            reader.Append(at + (ulong)offset, bytes.AsSpan(offset, Math.Min(50_000, bytes.Length - offset)));
            while (reader.Position < log.End && reader.TryRead(out WalRecord record))
            {
                RecordSplitter.Split(log.Version, record, control, ref sink);
                control.Apply(log.Version, record);
                records++;
            }
        }
    }
}
