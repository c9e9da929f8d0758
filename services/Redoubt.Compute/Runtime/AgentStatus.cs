using Redoubt.Compute.Postgres;
using Redoubt.Compute.Shipping;

namespace Redoubt.Compute.Runtime;

/// <summary>What the agent is doing, for /status and /readyz. Written by the agent, read by anyone.</summary>
public sealed class AgentStatus
{
    private volatile string _state = "starting";
    private volatile string _message = string.Empty;
    private volatile Judgement _parameters = new("", []);

    public string State => _state;

    public string Message => _message;

    public ulong Epoch { get; set; }

    public int PostgresPid { get; set; }

    /// <summary>The log's way out of the present life; null between lives.</summary>
    public VolumeWriter? Writer { get; set; }

    /// <summary>Where PostgreSQL's flushes wait; null before the first life.</summary>
    public FlushGate? Gate { get; set; }

    /// <summary>Milliseconds of each stage of the last start.</summary>
    public IReadOnlyDictionary<string, long> StartedMs { get; set; } = new Dictionary<string, long>();

    /// <summary>Parameters that wait for a restart.</summary>
    public IReadOnlyList<string> PendingRestart { get; set; } = [];

    /// <summary>Parameters of the file that are not in force, and why.</summary>
    public IReadOnlyList<RejectedParameter> ParametersRejected => _parameters.Rejected;

    /// <summary>SHA-256 of the parameters file that <see cref="ParametersRejected"/> is about, in hexadecimal digits.</summary>
    public string ParametersHash => _parameters.Hash;

    /// <summary>Why the agent could not set passwords or reload; empty when all is done.</summary>
    public string AdministrationProblem { get; set; } = string.Empty;

    /// <summary>What PostgreSQL said before it ended last: its status and its last FATAL or PANIC; empty before.</summary>
    public string LastWords { get; set; } = string.Empty;

    /// <summary>Bytes handed to segments in earlier lives.</summary>
    public long EarlierLogBytes { get; set; }

    public void Set(string state, string message = "")
    {
        _message = message;
        _state = state;
    }

    /// <summary>Tells what became of a parameters file.</summary>
    public void SetParameters(string hash, IReadOnlyList<RejectedParameter> rejected) => _parameters = new Judgement(hash, rejected);

    private sealed record Judgement(string Hash, IReadOnlyList<RejectedParameter> Rejected);
}
