using System.Text;
using Npgsql;
using Redoubt.Compute.Configuration;

namespace Redoubt.Compute.Postgres;

/// <summary>
/// Sets the passwords of the superuser and of the application's role as their files have them. They travel as SCRAM verifiers, and only when they are not
/// in force already. The superuser is the role with OID 10 whatever its name, the application's the one that carries <see cref="Mark"/>.
/// </summary>
public sealed class Accounts(ComputeOptions options)
{
    /// <summary>Comment on the application's role, made with the cluster.</summary>
    public const string Mark = "Owner of the application's database, made with the cluster by Redoubt.";

    private const string SuperuserRow = "oid = 10";
    private const string MarkedRow =
        "oid = (SELECT min(objoid) FROM pg_catalog.pg_shdescription WHERE classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND description = $1)";

    /// <summary>True when a password is configured.</summary>
    public bool AreConfigured => options.SuperuserPasswordFile is not null || (options.AppUser is not null && options.AppPasswordFile is not null);

    /// <summary>Sets what is not in force.</summary>
    /// <returns>What a person has to put right; empty when nothing is.</returns>
    public async Task<string> ApplyAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var problems = new List<string>();
        if (options.SuperuserPasswordFile is { } superuserFile && Password(superuserFile) is { } superuserPassword
            && await FindAsync(connection, SuperuserRow, null, cancellationToken).ConfigureAwait(false) is { } superuser)
        {
            if (superuser.IsShutOut)
            {
                await ExecuteAsync(connection, $"ALTER ROLE {Sql.Identifier(superuser.Name)} LOGIN CONNECTION LIMIT -1 VALID UNTIL 'infinity'", cancellationToken).ConfigureAwait(false);
            }

            await SetAsync(connection, superuser, superuserPassword, problems, cancellationToken).ConfigureAwait(false);
        }

        if (options.AppUser is { } user && options.AppPasswordFile is { } file && Password(file) is { } password)
        {
            var role = await FindAsync(connection, MarkedRow, Mark, cancellationToken).ConfigureAwait(false)
                ?? await FindAsync(connection, "rolname = $1", user, cancellationToken).ConfigureAwait(false);
            if (role is null)
            {
                problems.Add($"There is no role '{user}' whose password {file} could be; make it with CREATE ROLE, or leave the password out.");
            }
            else
            {
                await SetAsync(connection, role, password, problems, cancellationToken).ConfigureAwait(false);
            }
        }

        return string.Join(' ', problems);
    }

    private static byte[]? Password(string file)
    {
        byte[] contents = File.ReadAllBytes(file);
        int length = contents.AsSpan().TrimEnd("\r\n"u8).Length;
        return length == 0 ? null : contents[..length];
    }

    private static async Task SetAsync(NpgsqlConnection connection, Role role, byte[] password, List<string> problems, CancellationToken cancellationToken)
    {
        string? given = Encoding.UTF8.GetString(password) is var text && ScramVerifier.IsOne(text) ? text : null;
        byte[] prepared = given is null ? await PrepareAsync(connection, password, cancellationToken).ConfigureAwait(false) : [];
        if (given is not null ? role.Verifier == given : ScramVerifier.Matches(role.Verifier, prepared))
        {
            return;
        }

        try
        {
            await ExecuteAsync(
                connection, $"ALTER ROLE {Sql.Identifier(role.Name)} PASSWORD {Sql.Literal(given ?? ScramVerifier.Create(prepared))}", cancellationToken).ConfigureAwait(false);
        }
        catch (Npgsql.PostgresException e) when (!e.IsTransient)
        {
            problems.Add($"The password of role '{role.Name}' cannot be set: {e.MessageText}.");
        }
    }

    /// <summary>SASLprep; the normalization is PostgreSQL's, which has the tables for it, and only where its strings are Unicode.</summary>
    private static async Task<byte[]> PrepareAsync(NpgsqlConnection connection, byte[] password, CancellationToken cancellationToken)
    {
        if (SaslPrep.Map(password) is not { } mapped)
        {
            return password;
        }

        await using var command = new NpgsqlCommand(
            "SELECT CASE WHEN pg_catalog.current_setting('server_encoding') = 'UTF8' THEN pg_catalog.normalize($1, 'NFKC') ELSE $1 END", connection)
        {
            Parameters = { new NpgsqlParameter<string> { TypedValue = mapped } },
        };
        return Encoding.UTF8.GetBytes((string)(await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false))!);
    }

    private static async Task<Role?> FindAsync(NpgsqlConnection connection, string condition, string? argument, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(
            "SELECT rolname::text, rolpassword, NOT rolcanlogin OR rolconnlimit = 0 OR COALESCE(rolvaliduntil < pg_catalog.now(), false) "
            + $"FROM pg_catalog.pg_authid WHERE {condition}",
            connection);
        if (argument is not null)
        {
            command.Parameters.Add(new NpgsqlParameter<string> { TypedValue = argument });
        }

        await using var reader = await command.ExecuteReaderAsync(cancellationToken).ConfigureAwait(false);
        return await reader.ReadAsync(cancellationToken).ConfigureAwait(false)
            ? new Role(reader.GetString(0), reader.IsDBNull(1) ? null : reader.GetString(1), reader.GetBoolean(2))
            : null;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken).ConfigureAwait(false);
    }

    private sealed record Role(string Name, string? Verifier, bool IsShutOut);
}
