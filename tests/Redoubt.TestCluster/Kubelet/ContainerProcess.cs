using System.Diagnostics;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>
/// One container as a real process: own mount and pid namespaces, the image as a read-only or throw-away overlay root, volumes bound into
/// it, the pod's user, no new privileges. SIGKILL of its first process ends every process inside.
/// </summary>
internal sealed class ContainerProcess : IDisposable
{
    /// <summary>Runs as root inside the new namespaces, then becomes the container's process.</summary>
    private const string Script = """
        set -eu
        base=$1; image=$2; readonly=$3; mounts=$4; etc=$5; shift 5
        mount -t tmpfs -o mode=755 tmpfs "$base"
        mkdir "$base/upper" "$base/work" "$base/root"
        mount -t overlay overlay -o "lowerdir=$image,upperdir=$base/upper,workdir=$base/work" "$base/root"
        root=$base/root
        mkdir -p "$root/proc" "$root/dev" "$root/sys" "$root/etc" "$root/tmp" "$root/run"
        chmod 1777 "$root/tmp"
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for d in null zero full random urandom tty; do touch "$root/dev/$d"; mount --bind "/dev/$d" "$root/dev/$d"; done
        mkdir "$root/dev/shm"
        mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/dev/shm"
        ln -s /proc/self/fd "$root/dev/fd"; ln -s /proc/self/fd/1 "$root/dev/stdout"; ln -s /proc/self/fd/2 "$root/dev/stderr"
        for f in hosts hostname resolv.conf; do
          [ -L "$root/etc/$f" ] && rm "$root/etc/$f"
          touch "$root/etc/$f"; mount --bind "$etc/$f" "$root/etc/$f"
        done
        while IFS='|' read -r source target mode; do
          [ -n "$source" ] || continue
          # An absolute link in the image would lead out of it: /var/run is the one that is everywhere.
          case $target in /var/run/*) [ -L "$root/var/run" ] && target=${target#/var} ;; esac
          if [ -d "$source" ]; then mkdir -p "$root$target"; else mkdir -p "$(dirname "$root$target")"; touch "$root$target"; fi
          mount --bind "$source" "$root$target"
          if [ "$mode" = ro ]; then mount -o remount,bind,ro "$root$target"; fi
        done < "$mounts"
        if [ "$readonly" = true ]; then mount -o remount,ro "$root"; fi
        cd "$root"
        exec "$@"
        """;

    private readonly Process _process;

    private readonly string _logFile;
    private readonly Lock _waitLock = new();
    private Task<int>? _wait;

    private ContainerProcess(Process process, string logFile) => (_process, _logFile) = (process, logFile);

    /// <summary>Folder on the host → path in the container.</summary>
    internal sealed record BindMount(string Source, string Target, bool ReadOnly);

    /// <summary>What to start.</summary>
    /// <param name="Folder">Empty folder of this run, for mount points.</param>
    /// <param name="EtcFolder">Folder with hosts, hostname, resolv.conf.</param>
    internal sealed record Spec(
        string Folder, string EtcFolder, string LogFile, Image Image, IReadOnlyList<string> Command, IReadOnlyDictionary<string, string> Environment,
        IReadOnlyList<BindMount> Mounts, int User, int Group, IReadOnlyList<int> Groups, bool ReadOnlyRoot);

    /// <summary>Process id of the container's first process, on the host.</summary>
    public int Pid { get; private set; }

    /// <summary>Starts the container.</summary>
    /// <exception cref="IOException">The namespaces could not be made (needs root).</exception>
    public static async Task<ContainerProcess> StartAsync(Spec spec, CancellationToken cancellation)
    {
        var mounts = Path.Combine(spec.Folder, "mounts");
        var root = Path.Combine(spec.Folder, "container");
        Directory.CreateDirectory(root);
        await File.WriteAllTextAsync(mounts, string.Concat(spec.Mounts.OrderBy(m => m.Target.Length).Select(m => $"{m.Source}|{m.Target}|{(m.ReadOnly ? "ro" : "rw")}\n")), cancellation);
        var start = new ProcessStartInfo("/bin/bash") { UseShellExecute = false };
        string[] arguments =
        [
            "-c", "log=$1; shift; exec /usr/bin/unshare --mount --pid --fork --kill-child --propagation private /bin/bash -c \"$@\" >>\"$log\" 2>&1 </dev/null",
            "start", spec.LogFile, Script, "container", root, spec.Image.Root, spec.ReadOnlyRoot ? "true" : "false", mounts, spec.EtcFolder,
            "/usr/bin/env", "-i", .. spec.Environment.Select(e => $"{e.Key}={e.Value}"),
            "/usr/bin/setpriv", "--no-new-privs", "/usr/sbin/chroot", $"--userspec={spec.User}:{spec.Group}", $"--groups={string.Join(',', spec.Groups.Prepend(spec.Group).Distinct())}",
            Path.Combine(root, "root"), .. spec.Command,
        ];
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }
        var container = new ContainerProcess(Process.Start(start) ?? throw new IOException("bash did not start"), spec.LogFile);
        ProcessGuard.Watch(container._process.Id);
        while (container.Pid == 0 && !container._process.HasExited)
        {
            container.Pid = container.FirstChild();
            await Task.Delay(2, cancellation);
        }
        if (container.Pid != 0)
        {
            // unshare's --kill-child ends with the change of user: the first process of the namespace is ended by itself.
            ProcessGuard.Watch(container.Pid);
        }
        return container;
    }

    private int FirstChild()
    {
        try
        {
            var children = File.ReadAllText($"/proc/{_process.Id}/task/{_process.Id}/children");
            // Before it has become unshare, bash has no children; unshare has exactly one.
            return int.TryParse(children.Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault(), out var pid) ? pid : 0;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    /// <summary>Waits for the end; 128 + signal when a signal ended it.</summary>
    public Task<int> WaitAsync()
    {
        lock (_waitLock)
        {
            return _wait ??= WaitOnceAsync();
        }
    }

    private async Task<int> WaitOnceAsync()
    {
        await _process.WaitForExitAsync();
        ProcessGuard.Forget(_process.Id);
        ProcessGuard.Forget(Pid);
        return _process.ExitCode == 1 && ForgetUnshare() ? 137 : _process.ExitCode;
    }

    /// <summary>unshare trips over a child that SIGKILL ended, and says so in the container's log: takes that line out again.</summary>
    private bool ForgetUnshare()
    {
        var trace = "unshare: sigprocmask unblock failed: Invalid argument\n"u8;
        using var log = new FileStream(_logFile, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        if (log.Length < trace.Length)
        {
            return false;
        }
        var end = new byte[trace.Length];
        log.Position = log.Length - trace.Length;
        log.ReadExactly(end);
        if (!trace.SequenceEqual(end))
        {
            return false;
        }
        log.SetLength(log.Length - trace.Length);
        return true;
    }

    /// <summary>Sends a signal to the first process.</summary>
    public void Signal(int signal)
    {
        if (Pid != 0 && !_process.HasExited)
        {
            Posix.Kill(Pid, signal);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _process.Dispose();
}
