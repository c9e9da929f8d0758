namespace Redoubt.Verify.Workloads;

/// <summary>How much the built-in workloads do.</summary>
/// <param name="Rows">Rows of a large table.</param>
/// <param name="Xids">Transaction ids to consume in one go; more than 1,048,576 let the oldest commit-log file go.</param>
/// <param name="MultiXacts">Multixacts to make; more than 65,536 let the oldest offsets file go.</param>
/// <param name="Sessions">Concurrent sessions.</param>
/// <param name="SessionSteps">Statements of each.</param>
/// <param name="Compression"><c>wal_compression</c> of the bulk workload (the others stay uncompressed: pglz is slow).</param>
public readonly record struct WorkloadScale(int Rows, int Xids, int MultiXacts, int Sessions, int SessionSteps, string Compression = "off")
{
    /// <summary>At least two million block changes, every kind.</summary>
    public static WorkloadScale Full { get; } = new(75_000, 1_150_000, 70_000, 6, 1500);

    /// <summary>About 200,000 block changes, for a test suite.</summary>
    public static WorkloadScale Small { get; } = new(3_000, 20_000, 500, 4, 150);
}
