using Redoubt.Protocol;
using Redoubt.Wal;

namespace Redoubt.Compute.Volume;

/// <summary>
/// Finds the recovered VDL: the highest record end such that every record up to it is in every group it belongs to, as far as read quorums know.
/// Pure. With one group that is the end of the last whole record of the most complete copy. With more, the records above a known VDL are walked in log
/// order, each starting where the one before ended, until one is missing from one of its groups.
/// </summary>
/// <remarks>A long record is there where its last part is: a copy's entries are without gaps, so the other parts are before it. Parts whose last one is
/// missing never happened.</remarks>
public static class VdlRecovery
{
    /// <summary>First LSN that a real record can have; imports live below (docs/decisions/0003).</summary>
    public const ulong FirstRecord = 0x100_0000;

    /// <summary>Walks the groups' entries above <paramref name="knownVdl"/>.</summary>
    /// <param name="knownVdl">A record end up to which everything is durable (0: nothing known).</param>
    /// <param name="entries">Per group: its valid entries in order, from its last one at or below <paramref name="knownVdl"/> on.</param>
    public static RecoveredEnd Walk(ulong knownVdl, IReadOnlyList<IReadOnlyList<LogPosition>> entries)
    {
        var next = new Dictionary<ulong, (LogPosition Entry, ulong FoundIn)>();
        ulong firstRecordStart = ulong.MaxValue;
        ulong lastStart = 0;
        for (int group = 0; group < entries.Count; group++)
        {
            foreach (var entry in entries[group])
            {
                if (!entry.Kind.EndsRecord())
                {
                    continue;
                }

                if (entry.End == knownVdl)
                {
                    lastStart = entry.Start;
                }

                if (entry.End <= knownVdl)
                {
                    continue;
                }

                ulong found = next.TryGetValue(entry.Start, out var seen) ? seen.FoundIn : 0;
                next[entry.Start] = (entry, found | (1UL << group));
                if (entry.Kind != LogEntryKind.Import)
                {
                    firstRecordStart = Math.Min(firstRecordStart, entry.Start);
                }
            }
        }

        ulong vdl = knownVdl;
        while (true)
        {
            ulong start = vdl < FirstRecord ? vdl : WalAddress.NextRecordStart(new Lsn(vdl)).Value;
            if (!next.TryGetValue(start, out var found))
            {
                // The writer sends the first record only when the whole import is durable: if there is one, the import ends here.
                if (vdl >= FirstRecord || firstRecordStart == ulong.MaxValue || !next.TryGetValue(firstRecordStart, out found))
                {
                    break;
                }
            }

            if ((found.FoundIn & found.Entry.GroupMask) != found.Entry.GroupMask)
            {
                break;
            }

            vdl = found.Entry.End;
            lastStart = found.Entry.Start;
        }

        var groupEnds = new ulong[entries.Count];
        for (int group = 0; group < entries.Count; group++)
        {
            groupEnds[group] = entries[group].Where(e => e.Kind.EndsRecord() && e.End <= vdl).Select(e => e.End).DefaultIfEmpty(0UL).Max();
        }

        return new RecoveredEnd(vdl, lastStart, groupEnds);
    }
}
