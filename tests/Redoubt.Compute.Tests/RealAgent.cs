using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Npgsql;

namespace Redoubt.Compute.Tests;

/// <summary>An agent process and its PostgreSQL.</summary>
internal sealed class RealAgent(Process process, string folder, int httpPort, int port)
{
    private static readonly HttpClient Http = new() { Timeout = TimeSpan.FromSeconds(5) };

    public string Folder => folder;

    public Process Process => process;

    public string ConnectionString => $"Host=127.0.0.1;Port={port};Username=postgres;Database=postgres;Pooling=false;Timeout=30;Command Timeout=120";

    /// <summary>What the agent and its PostgreSQL have said so far.</summary>
    public string Log
    {
        get
        {
            using var log = new StreamReader(new FileStream(folder + ".log", FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            return log.ReadToEnd();
        }
    }

    /// <summary>A first column's value, asked for by somebody with a password.</summary>
    public async Task<string> AskAsync(string sql, string user, string password = "", string database = "template1")
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(ConnectionString) { Username = user, Password = password, Database = database, Options = "-c default_transaction_read_only=off" }.ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return Convert.ToString(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken), System.Globalization.CultureInfo.InvariantCulture)!;
    }

    /// <summary>Waits until the status is as wanted.</summary>
    public async Task<JsonElement> WhenAsync(string what, Func<JsonElement, bool> condition)
    {
        var watch = Stopwatch.StartNew();
        string last = "no answer";
        while (watch.Elapsed < TimeSpan.FromMinutes(1))
        {
            try
            {
                var status = await StatusAsync();
                if (condition(status))
                {
                    return status;
                }

                last = status.GetRawText();
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                // not listening yet
            }

            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        throw new TimeoutException($"waited in vain for {what}: {last}");
    }

    public async Task WhenReadyAsync(TimeSpan patience)
    {
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < patience)
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"the agent ended with status {process.ExitCode}");
            }

            try
            {
                using var answer = await Http.GetAsync($"http://127.0.0.1:{httpPort}/readyz", TestContext.Current.CancellationToken);
                if (answer.StatusCode == HttpStatusCode.OK)
                {
                    return;
                }
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                // not listening yet
            }

            await Task.Delay(100, TestContext.Current.CancellationToken);
        }

        throw new TimeoutException($"the agent is not ready after {patience}\n{string.Join('\n', Log.Split('\n').TakeLast(25))}");
    }

    public async Task<JsonElement> StatusAsync()
    {
        using var document = JsonDocument.Parse(await Http.GetStringAsync($"http://127.0.0.1:{httpPort}/status", TestContext.Current.CancellationToken));
        return document.RootElement.Clone();
    }

    public async Task<string> MetricsAsync() => await Http.GetStringAsync($"http://127.0.0.1:{httpPort}/metrics", TestContext.Current.CancellationToken);

    public Task ExecuteAsync(string sql) => WithLogAsync(async () =>
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
        return string.Empty;
    });

    public Task<string> QueryAsync(string sql) => WithLogAsync(async () =>
    {
        await using var connection = new NpgsqlConnection(ConnectionString);
        await connection.OpenAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return Convert.ToString(await command.ExecuteScalarAsync(TestContext.Current.CancellationToken), System.Globalization.CultureInfo.InvariantCulture)!;
    });

    /// <summary>A failure tells what the agent and its PostgreSQL said last.</summary>
    private async Task<string> WithLogAsync(Func<Task<string>> body)
    {
        try
        {
            return await body();
        }
        catch (NpgsqlException e)
        {
            using var log = new StreamReader(new FileStream(folder + ".log", FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            string[] lines = (await log.ReadToEndAsync(TestContext.Current.CancellationToken)).Split('\n');
            throw new NpgsqlException($"{e.Message}\n{string.Join('\n', lines.TakeLast(25))}", e);
        }
    }

    /// <summary>Kills the agent; its PostgreSQL dies with it.</summary>
    public void Kill()
    {
        if (!process.HasExited)
        {
            process.Kill();

            // With a limit it waits for the process alone: without, for the end of its output too, which PostgreSQL's processes hold while they die.
            process.WaitForExit(TimeSpan.FromMinutes(1));
        }
    }

    /// <summary>SIGTERM, and the exit status.</summary>
    public async Task<int> StopAsync()
    {
        using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        return process.ExitCode;
    }
}
