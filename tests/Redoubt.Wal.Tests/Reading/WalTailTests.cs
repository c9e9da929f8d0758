using CsCheck;

namespace Redoubt.Wal.Tests.Reading;

/// <summary>A log that is read while it is written: the last page holds what is still being copied, pages before it are final.</summary>
public sealed class WalTailTests
{
    [Theory]
    [InlineData(PgVersion.Pg17)]
    [InlineData(PgVersion.Pg18)]
    public async Task Reading_after_every_write_gives_the_records_of_the_finished_log(PgVersion version)
    {
        RealLog log = await RealLog.GetAsync(version);
        ControlState control = log.NewControl();
        Lsn page = WalAddress.PageStart(control.Lsn);
        byte[] bytes = log.ReadFrom(control.Lsn);
        var expected = Records(version, control, bytes, partLength: 0);
        Gen.Int[0, int.MaxValue].Sample(
            seed =>
            {
                var random = new Random(seed);
                using var reader = new WalStreamReader(version, control.Lsn, control.LastRecordStart) { PartLength = random.Next(2) * random.Next(64, 20_000) };
                var seen = new List<(Lsn Start, Lsn End, byte[] Bytes)>();
                var parts = new MemoryStream();

                // PostgreSQL has written up to here; what follows in the page is not copied yet, or half.
                for (int written = (int)(control.Lsn - page); seen.Count < 3000 && seen.Count < expected.Count;)
                {
                    written = Math.Min(bytes.Length, written + random.Next(1, random.Next(2) == 0 ? 300 : 60_000));
                    int end = (written + WalAddress.PageSize - 1) / WalAddress.PageSize * WalAddress.PageSize;
                    byte[] file = bytes[..end];
                    Spoil(file.AsSpan(written), random);
                    reader.FinalUpTo = page + (ulong)(end - WalAddress.PageSize);
                    int from = (int)(reader.ResumePosition - page);
                    if (from >= end)
                    {
                        continue;
                    }

                    file.AsSpan(from).CopyTo(reader.Refill(end - from));
                    while (reader.TryRead(out var record))
                    {
                        parts.Write(record.Bytes);
                        if (record.Part is RecordPart.Whole or RecordPart.Last)
                        {
                            seen.Add((record.Start, record.End, parts.ToArray()));
                            parts.SetLength(0);
                        }
                    }

                    // Nothing that was written is missing, but for a record that is not whole.
                    if (seen.Count < expected.Count)
                    {
                        Assert.True(expected[seen.Count].End > page + (ulong)written, $"the record at {expected[seen.Count].Start} was whole");
                    }
                }

                Assert.True(seen.Count >= Math.Min(3000, expected.Count));
                for (int i = 0; i < seen.Count; i++)
                {
                    Assert.Equal(expected[i].Start, seen[i].Start);
                    Assert.Equal(expected[i].End, seen[i].End);
                    Assert.Equal(expected[i].Bytes, seen[i].Bytes);
                }
            },
            iter: 15,
            threads: 1);
    }

    [Fact]
    public void What_is_wrong_in_the_last_page_may_come_right_and_in_a_page_before_it_is_damage()
    {
        var start = new Lsn(0x1000000 + (2 * 8192) + 24);
        var log = new TestLog(PgVersion.Pg17, start, new Lsn(0x1000100));
        log.AddRecord(RmgrId.LogicalMessage, 0, new byte[500]);
        Lsn page = WalAddress.PageStart(start);
        byte[] good = log.Bytes[(int)(page - log.At)..];
        Array.Resize(ref good, 8192);
        byte[] bad = (byte[])good.Clone();
        bad[300] ^= 1;

        using var reader = new WalStreamReader(PgVersion.Pg17, start, new Lsn(0x1000100)) { FinalUpTo = page };
        bad.AsSpan((int)(start - page)).CopyTo(reader.Refill(8192 - (int)(start - page)));
        Assert.False(reader.TryRead(out _));
        good.AsSpan((int)(start - page)).CopyTo(reader.Refill(8192 - (int)(start - page)));
        Assert.True(reader.TryRead(out var record));
        Assert.Equal(start, record.Start);

        using var after = new WalStreamReader(PgVersion.Pg17, start, new Lsn(0x1000100)) { FinalUpTo = page + 8192 };
        bad.AsSpan((int)(start - page)).CopyTo(after.Refill(8192 - (int)(start - page)));
        Assert.Throws<WalFormatException>(() => after.TryRead(out _));
    }

    private static List<(Lsn Start, Lsn End, byte[] Bytes)> Records(PgVersion version, ControlState control, byte[] bytes, int partLength)
    {
        using var reader = new WalStreamReader(version, control.Lsn, control.LastRecordStart) { PartLength = partLength };
        reader.Append(WalAddress.PageStart(control.Lsn), bytes);
        var records = new List<(Lsn, Lsn, byte[])>();
        while (records.Count < 4000 && reader.TryRead(out var record))
        {
            records.Add((record.Start, record.End, record.Bytes.ToArray()));
        }

        return records;
    }

    private static void Spoil(Span<byte> rest, Random random)
    {
        switch (random.Next(3))
        {
            case 0:
                rest.Clear();
                break;
            case 1:
                rest[random.Next(rest.Length + 1)..].Clear(); // some of it is copied
                break;
            default:
                for (int i = 0; i < rest.Length; i++)
                {
                    rest[i] = random.Next(3) == 0 ? (byte)0 : rest[i];
                }

                break;
        }
    }
}
