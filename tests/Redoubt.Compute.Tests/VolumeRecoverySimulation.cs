using Redoubt.Compute.Shipping;
using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

/// <summary>
/// Writers open a volume, append, die at any moment and are replaced, over segments that come, go and lose messages. Promise: what was
/// acknowledged (VDL of the writer that was not fenced then) is in the log that every later writer recovers. The seed is in every failure.
/// </summary>
public class VolumeRecoverySimulation
{
    public static TheoryData<int, int> Seeds()
    {
        var data = new TheoryData<int, int>();
        for (int seed = 1; seed <= 40; seed++)
        {
            data.Add(seed, seed % 3 == 0 ? 3 : 1);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Every_acknowledged_record_survives_every_change_of_writer(int seed, int groups)
    {
        var shape = VolumeShape.ForCopies(seed % 2 == 0 ? 6 : 3, groups);
        var network = new SimulatedNetwork(shape, seed);
        var random = network.Random;
        var acknowledged = new List<LogPosition>();
        OpenedVolume? previous = null;
        for (int life = 0; life < 12; life++)
        {
            // Fewer are away than the read quorum can bear; the volume opens.
            lock (network)
            {
                SendAway(network, random.Next(shape.Copies - shape.WriteQuorum + 1));
                network.Loss = 0;
            }

            var opener = new VolumeOpener(shape, PgVersion.Pg17, network.Segments, new Silent(), TimeProvider.System);
            var volume = await opener.OpenAsync(0, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
            Assert.True(previous is null || volume.Epoch > previous.Epoch, $"seed {seed}");
            ulong last = acknowledged.Count == 0 ? 0 : acknowledged[^1].End;
            Assert.True(volume.End.Vdl >= last, $"seed {seed}, life {life}: acknowledged up to {new Lsn(last)}, recovered {new Lsn(volume.End.Vdl)}");

            // Calls that the opener no longer waits for may still arrive.
            lock (network)
            {
                AssertHeld(network, acknowledged, $"seed {seed}, life {life}");
                if (previous is not null)
                {
                    AssertFenced(network, previous, $"seed {seed}, life {life}");
                }

                acknowledged = Write(network, volume, random, acknowledged);
            }

            previous = volume;
        }
    }

    [Fact]
    public async Task Opening_waits_while_no_write_quorum_answers_and_then_goes_on()
    {
        var network = new SimulatedNetwork(VolumeShape.ForCopies(6), 1);
        SendAway(network, 3);
        var events = new Silent();
        var opener = new VolumeOpener(network.Shape, PgVersion.Pg17, network.Segments, events, TimeProvider.System);
        var opening = opener.OpenAsync(0, TestContext.Current.CancellationToken);
        await events.Waiting.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        Assert.False(opening.IsCompleted);
        SendAway(network, 2);
        var volume = await opening.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        Assert.True(volume.IsNew);
    }

    [Fact]
    public async Task Two_writers_that_open_at_once_end_with_one_whose_epoch_a_write_quorum_obeys()
    {
        for (int seed = 1; seed <= 20; seed++)
        {
            var network = new SimulatedNetwork(VolumeShape.ForCopies(6), seed);
            var openers = Enumerable.Range(0, 2).Select(_ =>
                new VolumeOpener(network.Shape, PgVersion.Pg17, network.Segments, new Silent(), TimeProvider.System).OpenAsync(0, TestContext.Current.CancellationToken));
            var volumes = await Task.WhenAll(openers).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
            ulong winner = volumes.Max(v => v.Epoch);
            Assert.NotEqual(volumes[0].Epoch, volumes[1].Epoch);
            Assert.True(network.Segments.Count(s => s.Epoch == winner) >= network.Shape.WriteQuorum, $"seed {seed}");
        }
    }

    [Fact]
    public async Task Who_had_the_volume_takes_it_back_after_a_life_of_its_own_but_not_from_a_newer_writer()
    {
        var network = new SimulatedNetwork(VolumeShape.ForCopies(6), 3);
        var old = Opener();
        ulong first = (await OpenAsync(old, 0)).Epoch;
        ulong second = (await OpenAsync(old, old.HighestAsked)).Epoch;
        Assert.True(second > first);
        var next = await OpenAsync(Opener(), 0);
        var fenced = await Assert.ThrowsAsync<FencedException>(() => OpenAsync(old, old.HighestAsked));
        Assert.Equal(next.Epoch, fenced.Newer);
        Assert.DoesNotContain(network.Segments, s => s.Epoch > next.Epoch);

        VolumeOpener Opener() => new(network.Shape, PgVersion.Pg17, network.Segments, new Silent(), TimeProvider.System);

        static Task<OpenedVolume> OpenAsync(VolumeOpener opener, ulong mine) =>
            opener.OpenAsync(mine, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
    }

    /// <summary>Appends with losses and segments that come and go; returns all that was acknowledged, in order.</summary>
    private static List<LogPosition> Write(SimulatedNetwork network, OpenedVolume volume, Random random, List<LogPosition> acknowledged)
    {
        network.Loss = random.NextDouble() * 0.3;
        var shape = network.Shape;
        var connected = network.Segments.Where(s => s.Connect(volume)).ToHashSet();
        var tracker = new QuorumTracker(shape, volume.End.Vdl, volume.End.GroupEnds);
        foreach (var segment in connected)
        {
            tracker.Acknowledge(segment.Group, segment.Copy, segment.Scl);
        }

        var ends = volume.End.GroupEnds.ToArray();
        var answers = new List<(int Group, int Copy, ulong Scl)>();
        ulong position = volume.End.Vdl;
        var written = new List<LogPosition>();
        if (volume.IsNew)
        {
            // An import, sometimes interrupted; the first record only when it is durable.
            network.Loss = 0;
            for (int i = 0; i < 5; i++)
            {
                Append(position, position + 1, LogEntryKind.Import);
            }

            if (tracker.Vdl < position || random.Next(2) == 0)
            {
                return acknowledged;
            }

            position = VdlRecovery.FirstRecord + 40;
            network.Loss = random.NextDouble() * 0.3;
        }

        int count = random.Next(60);
        for (int i = 0; i < count; i++)
        {
            if (random.Next(20) == 0)
            {
                var one = network.Segments[random.Next(network.Segments.Length)];
                one.IsAway = !one.IsAway;
            }

            ulong start = WalAddress.NextRecordStart(new Lsn(position)).Value;
            if (random.Next(5) != 0)
            {
                Append(start, start + (8 * (ulong)random.Next(3, 900)), LogEntryKind.WalRecord);
                continue;
            }

            // A record in parts; the writer may die between them.
            int parts = random.Next(1, 6);
            for (int part = 1; part <= parts && i < count; part++, i++)
            {
                ulong reached = Math.Max(start, position) + (8 * (ulong)random.Next(3, 900));
                Append(start, reached, part == parts ? LogEntryKind.RecordEnd : LogEntryKind.RecordPart);
            }
        }

        network.Loss = 0;
        var all = acknowledged.Where(a => a.End <= volume.End.Vdl).Concat(written).ToList();
        // What the quorum has is acknowledged; records recovered but never acknowledged before count from now on as well.
        return [.. all.Where(a => a.End <= tracker.Vdl)];

        void Append(ulong start, ulong end, LogEntryKind kind)
        {
            ulong mask = kind.IsPart() ? new GroupRouter(shape.Groups).All : RandomMask(random, shape.Groups);
            foreach (var segment in connected)
            {
                if ((mask & (1UL << segment.Group)) != 0)
                {
                    var entry = new LogPosition(start, end, ends[segment.Group], mask, kind);
                    if (segment.Append(volume.Epoch, entry, tracker.Vdl) is { } scl)
                    {
                        answers.Add((segment.Group, segment.Copy, scl));
                    }
                }
            }

            if (kind.EndsRecord())
            {
                tracker.Add(end, mask);
            }

            foreach (var (g, copy, scl) in answers)
            {
                tracker.Acknowledge(g, copy, scl);
            }

            answers.Clear();
            for (int g = 0; g < shape.Groups; g++)
            {
                ends[g] = (mask & (1UL << g)) != 0 ? end : ends[g];
            }

            position = end;
            if (kind is LogEntryKind.WalRecord or LogEntryKind.RecordEnd)
            {
                written.Add(new LogPosition(start, end, 0, mask, kind));
            }
        }
    }

    private static ulong RandomMask(Random random, int groups)
    {
        ulong mask = (ulong)random.Next(1, 1 << groups);
        return mask;
    }

    private static void SendAway(SimulatedNetwork network, int count)
    {
        var away = Enumerable.Range(0, network.Shape.Copies).OrderBy(_ => network.Random.Next()).Take(count).ToHashSet();
        foreach (var segment in network.Segments)
        {
            segment.IsAway = away.Contains(segment.Copy);
        }
    }

    private static void AssertHeld(SimulatedNetwork network, List<LogPosition> acknowledged, string when)
    {
        foreach (var record in acknowledged)
        {
            for (int g = 0; g < network.Shape.Groups; g++)
            {
                if ((record.GroupMask & (1UL << g)) != 0)
                {
                    int holders = network.Segments.Count(s => s.Group == g && s.Log.Any(e => e.Position.End == record.End && e.Position.Start == record.Start));
                    Assert.True(holders >= network.Shape.WriteQuorum, $"{when}: group {g} holds the record that ends at {new Lsn(record.End)} on {holders} copies");
                }
            }
        }
    }

    private static void AssertFenced(SimulatedNetwork network, OpenedVolume old, string when)
    {
        for (int g = 0; g < network.Shape.Groups; g++)
        {
            int obeying = network.Segments.Count(s => s.Group == g && s.Epoch <= old.Epoch);
            Assert.True(obeying <= network.Shape.Copies - network.Shape.WriteQuorum, $"{when}: {obeying} copies of group {g} still obey epoch {old.Epoch}");
        }
    }

    private sealed class Silent : IVolumeOpenerEvents
    {
        private readonly TaskCompletionSource _waiting = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Waiting => _waiting.Task;

        public void WaitingForQuorum(string missing) => _waiting.TrySetResult();

        public void NoAnswer(string detail)
        {
        }

        public void Raced(string detail)
        {
        }

        public void Recovered(ulong epoch, Lsn vdl)
        {
        }

        public void CatchingUp(string segment, int group, Lsn scl, Lsn target)
        {
        }
    }
}
