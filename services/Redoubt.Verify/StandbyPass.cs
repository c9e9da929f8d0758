namespace Redoubt.Verify;

internal static class StandbyPass
{
    public static Task RunAsync(VerifyRedoOptions options, VerifyRedoResult result, string folder, Dictionary<string, string> settings, CancellationToken cancel) => Task.CompletedTask;
}
