namespace Redoubt.Verify;

/// <summary>Copies of PostgreSQL's data directories.</summary>
public static class DataFolders
{
    /// <summary>Copies a folder tree file by file; symbolic links stay links. The destination must not exist.</summary>
    public static void Copy(string source, string destination, Func<string, bool>? include = null)
    {
        Directory.CreateDirectory(destination);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(destination, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        foreach (var entry in new DirectoryInfo(source).EnumerateFileSystemInfos())
        {
            string target = Path.Combine(destination, entry.Name);
            if (include is not null && !include(entry.FullName))
            {
                continue;
            }

            if (entry.LinkTarget is { } link)
            {
                File.CreateSymbolicLink(target, link);
            }
            else if (entry is DirectoryInfo folder)
            {
                Copy(folder.FullName, target, include);
            }
            else if (entry.Name is not ("postmaster.pid" or "postmaster.opts"))
            {
                File.Copy(entry.FullName, target);
            }
        }
    }
}
