namespace Redoubt.Verify;

/// <summary>Temporary folders that another user may pass through.</summary>
public static class ScratchFolder
{
    /// <summary>Makes a new folder under the temporary folder; servers that run as another user may enter it.</summary>
    public static string Create(string prefix)
    {
        string folder = Directory.CreateTempSubdirectory(prefix).FullName;
        File.SetUnixFileMode(folder, File.GetUnixFileMode(folder) | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute | UnixFileMode.OtherRead);
        return folder;
    }
}
