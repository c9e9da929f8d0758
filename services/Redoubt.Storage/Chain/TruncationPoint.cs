namespace Redoubt.Storage.Chain;

/// <summary>What recovery under <paramref name="Epoch"/> decided: entries of older epochs that end above <paramref name="Above"/> never happened.</summary>
/// <param name="Epoch">Epoch of the recovering writer.</param>
/// <param name="Above">Volume LSN.</param>
/// <param name="GroupEnd">End of this group's last entry at or below <paramref name="Above"/>: the chain continues from here.</param>
public readonly record struct TruncationPoint(ulong Epoch, ulong Above, ulong GroupEnd);
