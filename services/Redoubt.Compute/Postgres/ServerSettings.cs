using System.Security.Cryptography;
using System.Text;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// PostgreSQL's parameters and pg_hba.conf that are in force: what the files say, as long as PostgreSQL takes it. A change that it does not take is refused
/// as a whole and told in the status; the last good set, which is also kept on disk, stays.
/// </summary>
/// <remarks>Belongs to the agent, not to one life of PostgreSQL. Not thread-safe: calls follow one another.</remarks>
public sealed class ServerSettings
{
    /// <summary>So often may PostgreSQL end before it is ready, without a parameter that can be blamed, until the whole file is.</summary>
    private const int PatienceWithDeaths = 3;
    private const string LocalTrust = "local all,replication all trust\nhost all,replication all 127.0.0.1/32 trust\nhost all,replication all ::1/128 trust\n";
    private static readonly TimeSpan LookPeriod = TimeSpan.FromMilliseconds(500);

    private readonly ComputeOptions _options;
    private readonly AgentStatus _status;
    private readonly ILogger _logger;
    private readonly ParameterTrial _trial;
    private byte[] _controlFile = [];
    private Source? _condemned;
    private Source? _suspected;
    private int _deaths;
    private Source _taken = new("", LocalTrust);

    public ServerSettings(ComputeOptions options, OsAccount account, AgentStatus status, ILogger logger)
    {
        _options = options;
        _status = status;
        _logger = logger;
        _trial = new ParameterTrial(options, account);
    }

    /// <summary>In force, or to be in force when PostgreSQL starts.</summary>
    public IReadOnlyList<(string Name, string Value)> InForce { get; private set; } = [];

    /// <summary>Its pg_hba.conf, without the agent's own lines.</summary>
    public string Hba => _taken.Hba;

    private string GoodParameters => Path.Combine(_options.DataDir, "good", "parameters.conf");

    private string GoodHba => Path.Combine(_options.DataDir, "good", "pg_hba.conf");

    /// <summary>Settles what a new cluster begins with: waits until PostgreSQL takes all that the file says.</summary>
    /// <param name="controlFile">Of the fresh cluster.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task SettleNewAsync(byte[] controlFile, CancellationToken cancellationToken)
    {
        _controlFile = controlFile;
        while (true)
        {
            var source = Read();
            var (accepted, rejected) = await JudgeAsync(source, cancellationToken).ConfigureAwait(false);
            Tell(source, rejected);
            if (rejected.Count == 0)
            {
                Take(source, accepted);
                return;
            }

            _status.Set("failed", $"the new cluster waits for its parameters to be put right: {string.Join("; ", rejected)}");
            while (Read() == source)
            {
                await Task.Delay(LookPeriod, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>
    /// Settles what PostgreSQL starts with on a volume that has data: what the files say, unless it is known not to work. Then it is the last good set, and
    /// without one, because the disk is only a cache, all parameters of the file that PostgreSQL takes.
    /// </summary>
    /// <remarks>With an empty disk PostgreSQL is not asked first, which would cost every start: one that then ends before it is ready is the answer.</remarks>
    public async Task SettleAsync(byte[] controlFile, CancellationToken cancellationToken)
    {
        _controlFile = controlFile;
        var source = Read();
        bool isSuspected = source == _suspected;
        if (source == _taken && !isSuspected)
        {
            if (_status.ParametersHash.Length == 0)
            {
                Tell(source, []);
            }

            return;
        }

        var good = ReadGood();
        if (source == good && (!isSuspected || source == _taken))
        {
            Tell(source, []);
            Take(source, Parameters.Parse(source.Parameters).Parameters);
            return;
        }

        var (accepted, rejected) = ParseOnly(source);
        if (isSuspected || good is not null || NeedsTrial(accepted))
        {
            (accepted, rejected) = await JudgeAsync(source, cancellationToken).ConfigureAwait(false);
        }

        if (rejected.Count == 0 && source == _condemned)
        {
            (accepted, rejected) = ([], [new RejectedParameter("", "", $"PostgreSQL does not start with these parameters: {_status.LastWords}")]);
        }

        Tell(source, rejected);
        if (rejected.Count > 0 && good is not null)
        {
            Take(good, Parameters.Parse(good.Parameters).Parameters);
        }
        else
        {
            Take(source, accepted);
        }
    }

    /// <summary>Takes changed files for the running server, when PostgreSQL takes all of them.</summary>
    /// <param name="hbaComplaint">Lets PostgreSQL read the pg_hba.conf that would be in force; answers what it has against it.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>False when something is refused: what was in force stays.</returns>
    public async Task<bool> ChangeAsync(Func<Task<RejectedParameter?>> hbaComplaint, CancellationToken cancellationToken)
    {
        var source = Read();
        if (source == _taken && _status.ParametersRejected.Count == 0)
        {
            return true;
        }

        var (accepted, rejected) = await JudgeAsync(source, cancellationToken).ConfigureAwait(false);
        if (rejected.Count == 0)
        {
            var (taken, inForce) = (_taken, InForce);
            Take(source, accepted);
            if (await hbaComplaint().ConfigureAwait(false) is not { } complaint)
            {
                Tell(source, []);
                Keep();
                return true;
            }

            Take(taken, inForce);
            rejected = [complaint];
        }

        Tell(source, rejected);
        return false;
    }

    /// <summary>PostgreSQL is ready with what is in force.</summary>
    public void Proven()
    {
        _deaths = 0;
        _suspected = null;
        if (_status.ParametersRejected.Count == 0)
        {
            Keep();
        }
    }

    /// <summary>PostgreSQL ended by itself before it was ready.</summary>
    public void Died()
    {
        _deaths++;
        _suspected = Read();
        if (_deaths >= PatienceWithDeaths)
        {
            _condemned = _suspected;
        }
    }

    private static bool NeedsTrial(IReadOnlyList<(string Name, string Value)> parameters) =>
        parameters.Any(p => p.Name is "session_preload_libraries" or "local_preload_libraries");

    private static (IReadOnlyList<(string, string)> Accepted, IReadOnlyList<RejectedParameter> Rejected) ParseOnly(Source source)
    {
        var (parameters, malformed) = Parameters.Parse(source.Parameters);
        var refused = Parameters.Refused(parameters);
        return ([.. parameters.Where(p => refused.All(r => r.Name != p.Name))], [.. malformed, .. refused]);
    }

    private async Task<(IReadOnlyList<(string, string)> Accepted, IReadOnlyList<RejectedParameter> Rejected)> JudgeAsync(Source source, CancellationToken cancellationToken)
    {
        _trial.Prepare(_controlFile);
        var (parameters, malformed) = Parameters.Parse(source.Parameters);
        var (accepted, rejected) = await new ParameterJudge(_options.PgVersion, _trial).JudgeAsync(parameters, cancellationToken).ConfigureAwait(false);
        return (accepted, [.. malformed, .. rejected]);
    }

    private void Take(Source source, IReadOnlyList<(string Name, string Value)> parameters)
    {
        _taken = source;
        InForce = parameters;
    }

    private void Tell(Source source, IReadOnlyList<RejectedParameter> rejected)
    {
        _status.SetParameters(source.Hash, rejected);
        foreach (var parameter in rejected)
        {
            _logger.ParameterRefused(parameter.ToString());
        }
    }

    private void Keep()
    {
        if (ReadGood() == _taken)
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(GoodParameters)!);
        File.Delete(GoodHba);
        Write(GoodParameters, _taken.Parameters);
        Write(GoodHba, _taken.Hba);
    }

    private static void Write(string path, string contents)
    {
        string temporary = path + ".new";
        File.WriteAllText(temporary, contents);
        File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>The last good set; null when this disk has none. The second file is written last, so that there are always both.</summary>
    private Source? ReadGood() => File.Exists(GoodHba) ? new Source(File.ReadAllText(GoodParameters), File.ReadAllText(GoodHba)) : null;

    private Source Read() => new(
        _options.ParametersFile is { } parameters && File.Exists(parameters) ? File.ReadAllText(parameters) : "",
        _options.HbaFile is { } hba ? File.ReadAllText(hba) : LocalTrust);

    private sealed record Source(string Parameters, string Hba)
    {
        /// <summary>By which one who wrote the parameters file knows that it was read.</summary>
        public string Hash => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Parameters)));
    }
}
