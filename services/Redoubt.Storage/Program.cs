using Redoubt.Protocol.Processes;
using Redoubt.Storage;
using Redoubt.Storage.LogFiles;
using Redoubt.Storage.Pages;

LastResort.Install("redoubt-storage");
try
{
    var options = StorageOptions.Read(args, Environment.GetEnvironmentVariable);
    await using var server = await StorageServer.StartAsync(options);
    await server.WaitForShutdownAsync();
    return 0;
}
catch (ConfigurationException e)
{
    Console.Error.WriteLine(e.Message);
    return 2;
}
catch (Exception e) when (e is LogFormatException or StoreCorruptException or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
