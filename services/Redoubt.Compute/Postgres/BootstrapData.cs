using Redoubt.Protocol.V1;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>Everything small that a data directory needs at one LSN, put together from all groups.</summary>
public sealed class BootstrapData
{
    /// <summary><see cref="ControlState.Encode"/>; empty until group 0's first chunk.</summary>
    public ReadOnlyMemory<byte> Control { get; private set; }

    /// <summary>Number of blocks of every fork and SLRU: the largest any group knows.</summary>
    public Dictionary<(RelFileLocator Rel, Fork Fork), uint> Forks { get; } = [];

    public List<(string Path, ReadOnlyMemory<byte> Contents)> Files { get; } = [];

    public HashSet<(uint Oid, uint SpcOid)> Databases { get; } = [];

    public Dictionary<uint, string> Tablespaces { get; } = [];

    public List<(ulong FullXid, ReadOnlyMemory<byte> State)> Prepared { get; } = [];

    public List<(ushort Origin, ulong RemoteLsn)> Origins { get; } = [];

    /// <summary>Adds what one group said.</summary>
    public void Add(IEnumerable<BootstrapChunk> chunks)
    {
        foreach (var chunk in chunks)
        {
            if (!chunk.Control.IsEmpty)
            {
                Control = chunk.Control.Memory;
            }

            foreach (var fork in chunk.Forks)
            {
                var key = (new RelFileLocator(fork.Spc, fork.Db, fork.Rel), (Fork)fork.Fork);
                Forks[key] = Math.Max(fork.Blocks, Forks.GetValueOrDefault(key));
            }

            Files.AddRange(chunk.Files.Select(f => (f.Path, f.Contents.Memory)));
            foreach (var database in chunk.Databases)
            {
                Databases.Add((database.Oid, database.Spc));
            }

            foreach (var tablespace in chunk.Tablespaces)
            {
                Tablespaces[tablespace.Oid] = tablespace.Path;
            }

            Prepared.AddRange(chunk.Prepared.Select(p => (p.FullXid, p.State.Memory)));
            Origins.AddRange(chunk.Origins.Select(o => ((ushort)o.Origin, o.RemoteLsn)));
        }
    }
}
