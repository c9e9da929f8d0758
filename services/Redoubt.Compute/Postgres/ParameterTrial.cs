using System.Globalization;
using System.Text;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// Asks PostgreSQL itself about a configuration file, beside whatever server runs: <c>postgres -C shared_memory_size</c> on a scratch folder reads the
/// file, checks parameters against each other, loads shared_preload_libraries and sums up the memory, and ends. It opens no socket.
/// </summary>
/// <param name="options">Where the scratch folder can be.</param>
/// <param name="account">Whom PostgreSQL runs as.</param>
public sealed class ParameterTrial(ComputeOptions options, OsAccount account)
{
    private static readonly string[] CheckFolders = ["global", "pg_notify", "pg_subtrans", "pg_xact", "pg_serial", "pg_replslot"];
    private readonly ServerProgram _program = new(options, account);

    private string Folder => Path.Combine(options.DataDir, "trial");

    /// <summary>Makes the scratch folder.</summary>
    /// <param name="controlFile">A pg_control of this version, which the memory's size depends on in no way, but without which it is not told.</param>
    public void Prepare(byte[] controlFile)
    {
        if (Directory.Exists(Folder))
        {
            Directory.Delete(Folder, recursive: true);
        }

        Make(Folder);
        foreach (string folder in CheckFolders)
        {
            Make(Path.Combine(Folder, folder));
        }

        Write("PG_VERSION", Encoding.ASCII.GetBytes(((int)options.PgVersion).ToString(CultureInfo.InvariantCulture) + "\n"));
        Write("postgresql.auto.conf", []);
        Write("global/pg_control", controlFile);
    }

    /// <summary>What PostgreSQL has against a configuration file; nothing when it takes it.</summary>
    public async Task<IReadOnlyList<string>> ComplaintsAsync(string configuration, CancellationToken cancellationToken)
    {
        Write("trial.conf", Encoding.UTF8.GetBytes(configuration));
        var (status, error, output) = await RunAsync(["-C", "shared_memory_size"], cancellationToken).ConfigureAwait(false);
        if (status == 0 && long.TryParse(output.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long memoryMb) && !NativeMemory.CanMap(memoryMb << 20))
        {
            // Only the real thing says it in PostgreSQL's words: this maps the memory and ends.
            (status, error, _) = await RunAsync(["--check"], cancellationToken).ConfigureAwait(false);
        }

        var complaints = ServerWords.Complaints(error);
        return status == 0 ? [] : complaints.Count > 0 ? complaints : [$"postgres -C ended with status {status}"];
    }

    /// <summary>What PostgreSQL has against libraries that sessions load; null when nothing. In-between names in $libdir/plugins are local_preload_libraries'.</summary>
    public async Task<string?> LibraryComplaintAsync(string libraries, CancellationToken cancellationToken)
    {
        var complaints = await ComplaintsAsync($"shared_preload_libraries = {libraries}\n", cancellationToken).ConfigureAwait(false);

        // A library may object to being loaded here rather than in a session; that it is not there, or is none, counts in both.
        return complaints.FirstOrDefault(c => c.Contains("could not access file", StringComparison.Ordinal) || c.Contains("could not load library", StringComparison.Ordinal));
    }

    private async Task<(int Status, string Error, string Output)> RunAsync(string[] mode, CancellationToken cancellationToken)
    {
        string[] arguments =
        [
            .. mode.Where(m => m == "--check"), "-D", Folder, "-c", $"config_file={Path.Combine(Folder, "trial.conf")}", "-c", "listen_addresses=",
            "-c", "unix_socket_directories=", "-c", "log_line_prefix=", "-c", "log_min_messages=warning", "-c", "log_error_verbosity=default",
            .. mode.Where(_ => mode[0] != "--check"),
        ];
        return await _program.RunAsync("postgres", arguments, "", new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
    }

    private void Make(string folder)
    {
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        NativeFile.ChangeOwner(folder, account);
    }

    private void Write(string name, byte[] contents)
    {
        string path = Path.Combine(Folder, name);
        File.WriteAllBytes(path, contents);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        NativeFile.ChangeOwner(path, account);
    }
}
