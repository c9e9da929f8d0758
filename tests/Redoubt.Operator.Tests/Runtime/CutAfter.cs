namespace Redoubt.Operator.Tests.Runtime;

/// <summary>
/// The death of an operator, as the server sees it: after a number of writes nothing gets through any more. The last write
/// may have been carried out without its answer being heard.
/// </summary>
internal sealed class CutAfter(int writes, bool answerLost) : DelegatingHandler
{
    private int left = writes;

    /// <summary>Whether the cut has happened.</summary>
    public TaskCompletionSource Cut { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (Cut.Task.IsCompleted)
        {
            throw new HttpRequestException("The operator is dead.");
        }

        if (request.Method != HttpMethod.Get && Interlocked.Decrement(ref left) <= 0)
        {
            if (answerLost)
            {
                (await base.SendAsync(request, cancellationToken)).Dispose();
            }

            Cut.TrySetResult();
            throw new HttpRequestException("The operator is dead.");
        }

        return await base.SendAsync(request, cancellationToken);
    }
}
