using Redoubt.Operator.Runtime;

namespace Redoubt.Operator.Tests.Runtime;

/// <summary>The queue's promises.</summary>
public sealed class WorkQueueTests
{
    private readonly WorkQueue<string> queue = new(TimeProvider.System, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(8));

    [Fact]
    public async Task A_key_that_is_added_twice_is_worked_on_once()
    {
        queue.Add("a");
        queue.Add("a");
        queue.Add("b");
        Assert.Equal("a", await TakeAsync());
        Assert.Equal("b", await TakeAsync());
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public async Task A_key_that_is_added_during_its_work_comes_back_after_it_and_not_before()
    {
        queue.Add("a");
        Assert.Equal("a", await TakeAsync());
        queue.Add("a");
        Assert.Equal(0, queue.Count);
        queue.Done("a");
        Assert.Equal("a", await TakeAsync());
        queue.Done("a");
        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public async Task The_earliest_of_several_delays_counts()
    {
        queue.AddAfter("a", TimeSpan.FromMinutes(10));
        queue.AddAfter("a", TimeSpan.FromMilliseconds(5));
        queue.AddAfter("a", TimeSpan.FromMinutes(20));
        Assert.Equal("a", await TakeAsync());
    }

    [Fact]
    public void Failures_back_off_until_they_are_forgotten()
    {
        Assert.Equal([1, 2, 4, 8, 8], Enumerable.Range(0, 5).Select(_ => queue.AddRateLimited("a").TotalMilliseconds));
        queue.Forget("a");
        Assert.Equal(1, queue.AddRateLimited("a").TotalMilliseconds);
        Assert.Equal(1, queue.AddRateLimited("b").TotalMilliseconds);
    }

    private Task<string> TakeAsync() => queue.TakeAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(10));
}
