using System.Globalization;
using Redoubt.Verify.Pages;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>
/// Lets a stopped server's next multixact members lie shortly before the end of their range of 2^32, as if it had made that many:
/// what <c>pg_resetwal -O</c> does. A workload then wraps around.
/// </summary>
internal static class MultiXactWrap
{
    /// <summary>Rewrites pg_control and the log, and makes the members file that the server expects.</summary>
    /// <param name="version">The server's version.</param>
    /// <param name="dataFolder">A data directory after a clean shutdown, without multixacts.</param>
    /// <param name="membersLeft">Members until the range wraps around.</param>
    public static void Prepare(PgVersion version, string dataFolder, uint membersLeft)
    {
        uint offset = uint.MaxValue - membersLeft;
        string controlPath = Path.Combine(dataFolder, "global", "pg_control");
        byte[] file = File.ReadAllBytes(controlPath);
        ControlFile.SetNextMultiOffset(file, offset);
        var control = ControlState.FromControlFile(version, file);
        var checkpoint = control.MakeShutdownCheckpoint(version, DateTimeOffset.UtcNow);
        string wal = Path.Combine(dataFolder, "pg_wal");
        foreach (string path in Directory.GetFiles(wal))
        {
            File.Delete(path);
        }

        foreach (var segment in control.MakeWalSegments(version, checkpoint))
        {
            using var log = File.Create(Path.Combine(wal, segment.Name));
            log.SetLength(WalAddress.SegmentSize);
            foreach ((int at, byte[] bytes) in segment.Pieces)
            {
                log.Position = at;
                log.Write(bytes);
            }
        }

        File.WriteAllBytes(controlPath, control.MakeControlFile(version, checkpoint));
        using var members = File.Create(Path.Combine(
            dataFolder, SlruFile.Folder(Fork.SlruMultiXactMembers), SlruFile.Of(Fork.SlruMultiXactMembers, offset).ToString("X4", CultureInfo.InvariantCulture)));
        members.SetLength(SlruFile.Pages * PageRedo.PageSize);
    }
}
