namespace Redoubt.Verify;

/// <summary>Tablespaces whose folders lie outside the data directory: one folder for all servers that run the same workload.</summary>
internal static class OutsideTablespaces
{
    /// <summary>Deletes what a stopped server keeps there, so that another one can make the same tablespaces anew.</summary>
    public static void Empty(string dataFolder)
    {
        foreach (var tablespace in new DirectoryInfo(Path.Combine(dataFolder, "pg_tblspc")).EnumerateDirectories())
        {
            if (tablespace.LinkTarget is null || !tablespace.Exists)
            {
                continue;
            }

            foreach (string folder in Directory.GetDirectories(tablespace.FullName, "PG_*"))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }
}
