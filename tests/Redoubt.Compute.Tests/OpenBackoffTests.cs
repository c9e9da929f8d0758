using Redoubt.Compute.Volume;
using Redoubt.Protocol;
using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Compute.Tests;

/// <summary>A writer that loses races for a volume waits longer each time, never the same, and never longer than the limit.</summary>
public class OpenBackoffTests
{
    [Fact]
    public void Delays_double_up_to_the_limit_within_their_upper_half()
    {
        var backoff = new OpenBackoff(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5), new Random(1));
        double full = 100;
        for (int i = 0; i < 12; i++)
        {
            Assert.InRange(backoff.Next().TotalMilliseconds, full / 2, full);
            full = Math.Min(full * 2, 5000);
        }
    }

    [Fact]
    public void Two_writers_do_not_wait_alike()
    {
        var one = new OpenBackoff(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5), new Random(1));
        var other = new OpenBackoff(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5), new Random(2));
        Assert.All(Enumerable.Range(0, 8), _ => Assert.NotEqual(one.Next(), other.Next()));
    }

    [Fact]
    public async Task A_writer_that_loses_every_race_asks_less_and_less_often()
    {
        var time = new SkippedTime();
        var segment = new ContestedSegment { Races = 9 };
        var events = new Counter();
        var opener = new VolumeOpener(VolumeShape.ForCopies(1), PgVersion.Pg17, [segment], events, time);
        await opener.OpenAsync(0, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);

        Assert.Equal(9, events.Races);
        Assert.Equal(9, time.Waits.Count);
        for (int i = 0; i < time.Waits.Count; i++)
        {
            double full = Math.Min(VolumeOpener.FirstRaceDelay.TotalMilliseconds * Math.Pow(2, i), VolumeOpener.LongestRaceDelay.TotalMilliseconds);
            Assert.InRange(time.Waits[i].TotalMilliseconds, full / 2, full);
        }
    }

    /// <summary>Every wait is over at once, and remembered.</summary>
    private sealed class SkippedTime : TimeProvider
    {
        public List<TimeSpan> Waits { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Waits.Add(dueTime);
            return base.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }

    /// <summary>A segment whose next writer is always faster, until it has been so often enough.</summary>
    private sealed class ContestedSegment : ISegment
    {
        private ulong _epoch;

        public int Races { get; set; }

        public string Name => "storage-0";

        public int Copy => 0;

        public int Group => 0;

        public string Endpoint => "sim://0";

        public Task<SegmentState> GetStateAsync(CancellationToken cancellationToken) => State();

        public Task<SegmentState> OpenEpochAsync(ulong epoch, CancellationToken cancellationToken)
        {
            _epoch = epoch;
            return State();
        }

        public Task<SegmentState> TruncateAsync(Truncation truncation, IReadOnlyList<Truncation> history, CancellationToken cancellationToken)
        {
            if (Races == 0)
            {
                return State();
            }

            Races--;
            _epoch++;
            return Task.FromException<SegmentState>(new StaleEpochException(Name, truncation.Epoch, $"has {_epoch}"));
        }

        public Task<SegmentState> CatchUpAsync(ulong epoch, ulong target, IReadOnlyList<string> peers, CancellationToken cancellationToken) => State();

        public Task<IReadOnlyList<LogPosition>> FetchPositionsAsync(ulong epoch, ulong from, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<LogPosition>>([]);

        private Task<SegmentState> State() => Task.FromResult(new SegmentState { Segment = new SegmentId { Group = 0 }, Epoch = _epoch });
    }

    private sealed class Counter : IVolumeOpenerEvents
    {
        public int Races { get; private set; }

        public void WaitingForQuorum(string missing)
        {
        }

        public void NoAnswer(string detail)
        {
        }

        public void Raced(string detail) => Races++;

        public void Recovered(ulong epoch, Lsn vdl)
        {
        }

        public void CatchingUp(string segment, int group, Lsn scl, Lsn target)
        {
        }
    }
}
