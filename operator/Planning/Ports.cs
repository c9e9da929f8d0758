namespace Redoubt.Operator.Planning;

/// <summary>Ports that the processes listen on, each on the address of its own pod.</summary>
public static class Ports
{
    public const int StorageGrpc = 7000;
    public const int StorageHttp = 7001;
    public const int ComputeHttp = 7101;
    public const int Postgres = 5432;
}
