using System.Diagnostics;
using Redoubt.Protocol.V1;
using Redoubt.Storage.Chain;
using Redoubt.Storage.LogFiles;

namespace Redoubt.Storage.Segments;

/// <content>The foreground: streams, durability, acknowledgements.</content>
internal sealed partial class Segment
{
    /// <summary>Opens a writer's stream.</summary>
    /// <exception cref="EpochRefusedException">The writer is fenced.</exception>
    /// <exception cref="SegmentNotReadyException">It has not sent its truncation.</exception>
    public AppendSession OpenAppend(ulong epoch)
    {
        lock (_gate)
        {
            _core.RequireWriter(epoch);
            var session = new AppendSession(this, epoch);
            _sessions.Add(session);
            session.Wake();
            return session;
        }
    }

    public void CloseAppend(AppendSession session)
    {
        lock (_gate)
        {
            _sessions.Remove(session);
        }
    }

    /// <summary>Breaks all writers' streams: a drill, or the process stops.</summary>
    public void DropSessions()
    {
        lock (_gate)
        {
            foreach (var session in _sessions)
            {
                session.Fail(new ObjectDisposedException(_options.Name));
            }
        }
    }

    /// <summary>What a writer's batch says beside its frame.</summary>
    public void Hear(AppendSession session, ulong vdl, ulong groupVdl, ulong gcHorizon)
    {
        bool kick;
        lock (_gate)
        {
            _core.HearVdl(session.Epoch, vdl, groupVdl);
            _heardOfOthers = true;
            HearHorizon(session.Epoch, gcHorizon);
            kick = _core.ApplyLimit > _apply.Position;
        }

        if (kick)
        {
            _kick();
        }
    }

    /// <summary>What to tell a writer now. A fenced one learns the newer epoch and nothing that it could take for an acknowledgement.</summary>
    public (ulong Epoch, ulong Scl, ulong Applied, ulong DurableEnd) Position(AppendSession session)
    {
        lock (_gate)
        {
            return _core.Epochs.Epoch > session.Epoch
                ? (_core.Epochs.Epoch, 0, 0, 0)
                : (_core.Epochs.Epoch, _core.Chain.Scl, _apply.Applied, _core.Chain.DurableEnd);
        }
    }

    /// <inheritdoc/>
    public void Durable(IReadOnlyList<PendingAppend> frames)
    {
        lock (_gate)
        {
            ulong before = _core.Chain.Scl;
            foreach (var frame in frames)
            {
                Accept(frame);
            }

            if (_core.Chain.Scl != before)
            {
                _sclMovedAt = Environment.TickCount64;
            }

            WakeSessions();
        }

        foreach (var frame in frames)
        {
            _metrics.Acked(Stopwatch.GetElapsedTime(frame.ArrivedAt));
        }

        _kick();
    }

    /// <inheritdoc/>
    public void Failing(Exception? error)
    {
        lock (_gate)
        {
            if (error is not null && _logFailure is null)
            {
                _logger.LogFailing(Group, error.Message);
            }
            else if (error is null)
            {
                _logger.LogWorking(Group);
            }

            _logFailure = error is null ? null : "the log cannot be written: " + error.Message;
        }
    }

    private void Accept(PendingAppend frame)
    {
        var session = frame.Session;
        try
        {
            var outcome = session is null
                ? _core.OfferFromPeer(frame.Epoch, frame.From, frame.Marks, frame.At)
                : _core.OfferFromWriter(session.Epoch, frame.Epoch, frame.From, frame.Marks, frame.At);
            if (outcome == ChainOffer.OtherEpoch)
            {
                RequireSameBytes(frame);
            }
        }
        catch (EpochRefusedException e)
        {
            if (session is { IsFenced: false })
            {
                session.IsFenced = true;
                _metrics.Fenced();
                _logger.Fenced(Group, session.Epoch, e.Current);
            }
        }
        catch (Exception e) when (e is ChainException or SegmentNotReadyException)
        {
            _logger.Contradiction(Group, frame.Epoch, e.Message);
            frame.Refusal = e;
            session?.Fail(e);
        }
    }

    /// <summary>The same entries under two epochs must be the same bytes: a recovering writer may have framed old entries anew.</summary>
    private void RequireSameBytes(PendingAppend frame)
    {
        var theirs = Bodies(frame.Bytes.Span);
        int index = _core.Chain.IndexAfter(frame.Marks[0].End - 1);
        for (; index < _core.Chain.Runs.Count && _core.Chain.Runs[index].From < frame.Marks[^1].End; index++)
        {
            if (Log.Read(_core.Chain.Runs[index].At) is not { } bytes)
            {
                continue;
            }

            foreach (var (end, crc) in Bodies(bytes))
            {
                if (theirs.TryGetValue(end, out uint other) && other != crc)
                {
                    throw new ChainException(
                        $"entry {new Wal.Lsn(end)} of epoch {frame.Epoch} differs from the one of epoch {_core.Chain.Runs[index].Epoch} that is stored");
                }
            }
        }

        static Dictionary<ulong, uint> Bodies(ReadOnlySpan<byte> bytes)
        {
            var bodies = new Dictionary<ulong, uint>();
            foreach (var entry in Protocol.LogFrame.Parse(bytes).Entries)
            {
                bodies[entry.End.Value] = Wal.Crc32C.Compute(entry.Body);
            }

            return bodies;
        }
    }

    private void WakeSessions()
    {
        foreach (var session in _sessions)
        {
            session.Wake();
        }
    }
}
