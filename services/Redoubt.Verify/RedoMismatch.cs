using System.Globalization;
using Redoubt.Wal;

namespace Redoubt.Verify;

/// <summary>A page that redo left other than PostgreSQL says it must be.</summary>
/// <param name="Key">The page.</param>
/// <param name="Lsn">End of the record.</param>
/// <param name="Rmgr">The record's resource manager.</param>
/// <param name="Info">The record's kind.</param>
/// <param name="BlockId">The block reference's number in the record.</param>
/// <param name="Offset">First byte that differs after masking.</param>
/// <param name="Problem">Why a page could not be masked, or null.</param>
/// <param name="Before">The page before redo, 8,192 bytes; valid during the report only.</param>
/// <param name="Actual">The page after redo.</param>
/// <param name="Expected">PostgreSQL's image, unmasked; valid during the report only.</param>
public readonly record struct RedoMismatch(
    PageKey Key, Lsn Lsn, byte Rmgr, byte Info, byte BlockId, int Offset, string? Problem, byte[] Before, byte[] Actual, byte[] Expected)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Lsn}: {RmgrNames.Describe(Rmgr, Info)}, block reference {BlockId}, {Key}: first difference at byte {Offset}{(Problem is null ? "" : ": " + Problem)}");

    /// <summary>Writes before, actual and expected pages as three files into a folder.</summary>
    public void Dump(string folder)
    {
        Directory.CreateDirectory(folder);
        string name = Path.Combine(folder, string.Create(
            CultureInfo.InvariantCulture, $"{Lsn.Value:X16}-{Key.Rel.SpcOid}-{Key.Rel.DbOid}-{Key.Rel.RelNumber}-{Key.Fork}-{Key.Block}"));
        File.WriteAllBytes(name + ".before", Before);
        File.WriteAllBytes(name + ".actual", Actual);
        File.WriteAllBytes(name + ".expected", Expected);
    }
}
