using System.Diagnostics;

namespace Redoubt.TestCluster.Kubelet;

/// <summary>Ends the containers when the test process itself is killed: a small shell that waits for the end of a pipe from it.</summary>
internal static class ProcessGuard
{
    private static readonly Lock Lock = new();
    private static Process? s_guard;

    private static StreamWriter Pipe()
    {
        if (s_guard is null)
        {
            const string Script = """
                declare -A alive
                while read -r verb pid; do
                  if [ "$verb" = + ]; then alive[$pid]=1; else unset "alive[$pid]"; fi
                done
                for pid in "${!alive[@]}"; do kill -9 "$pid" 2>/dev/null; done
                """;
            var start = new ProcessStartInfo("/usr/bin/setsid", ["/bin/bash", "-c", Script]) { RedirectStandardInput = true, UseShellExecute = false };
            s_guard = Process.Start(start)!;
            s_guard.StandardInput.AutoFlush = true;
        }
        return s_guard.StandardInput;
    }

    public static void Watch(int pid)
    {
        lock (Lock)
        {
            Pipe().WriteLine($"+ {pid}");
        }
    }

    public static void Forget(int pid)
    {
        lock (Lock)
        {
            Pipe().WriteLine($"- {pid}");
        }
    }
}
