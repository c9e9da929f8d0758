using System.Text;
using Redoubt.Compute.Configuration;
using Redoubt.Compute.Runtime;
using Redoubt.Wal;

namespace Redoubt.Compute.Postgres;

/// <summary>Makes a fresh cluster with PostgreSQL's own initdb, and in it the application's role and database, to be imported into storage.</summary>
public sealed class InitDb(ComputeOptions options, OsAccount account)
{
    private const string Superuser = "postgres";
    private static readonly string[] OwnDatabases = ["postgres", "template0", "template1"];
    private readonly ServerProgram _program = new(options, account);

    /// <summary>Runs initdb in a scratch folder, which the caller deletes.</summary>
    /// <exception cref="PostgresException">initdb fails, or the application's names are not possible; the message has PostgreSQL's words.</exception>
    public async Task<string> RunAsync(CancellationToken cancellationToken)
    {
        string scratch = Path.Combine(options.DataDir, "import");
        if (Directory.Exists(scratch))
        {
            Directory.Delete(scratch, recursive: true);
        }

        Directory.CreateDirectory(scratch, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        NativeFile.ChangeOwner(scratch, account);
        string data = Path.Combine(scratch, "data");
        try
        {
            await RunOnceAsync(data, "C.UTF-8", cancellationToken).ConfigureAwait(false);
        }
        catch (PostgresException e) when (e.Message.Contains("locale", StringComparison.OrdinalIgnoreCase))
        {
            await RunOnceAsync(data, "C", cancellationToken).ConfigureAwait(false);
        }

        if (ApplicationSql() is { Length: > 0 } sql)
        {
            await new SingleUser(_program).RunAsync(data, ["postgres"], sql, new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
        }

        return data;
    }

    /// <summary>Made here and never again: what becomes of them later is the user's. The role carries a mark by which it is found under another name.</summary>
    private string ApplicationSql()
    {
        var sql = new StringBuilder();
        bool hasRole = options.AppUser is { } user && user != Superuser;
        if (hasRole)
        {
            string role = Sql.Identifier(options.AppUser!);
            sql.Append(Sql.Command($"CREATE ROLE {role} LOGIN")).Append(Sql.Command($"COMMENT ON ROLE {role} IS {Sql.Literal(Accounts.Mark)}"));
        }

        if (options.AppDatabase is { } database && !OwnDatabases.Contains(database))
        {
            sql.Append(Sql.Command($"CREATE DATABASE {Sql.Identifier(database)}{(hasRole ? $" OWNER {Sql.Identifier(options.AppUser!)}" : "")}"));
        }

        return sql.ToString();
    }

    private async Task RunOnceAsync(string data, string locale, CancellationToken cancellationToken)
    {
        List<string> arguments =
        [
            "--pgdata", data, $"--username={Superuser}", "--auth=trust", "--encoding=UTF8", $"--locale={locale}", "--no-sync", "--no-instructions",
        ];
        if (options.PgVersion >= PgVersion.Pg18)
        {
            arguments.Add("--no-data-checksums");
        }

        var (status, error, output) = await _program.RunAsync("initdb", arguments, "", new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
        if (status != 0)
        {
            throw new PostgresException($"initdb failed with status {status}: {(error + output).Trim()}");
        }
    }
}
