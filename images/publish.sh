#!/usr/bin/env bash
# publish.sh OUT PROJECT...: publishes services into one folder, compiled ahead of time, for a .NET runtime beside them.
# The Dockerfiles and rootfs.sh both call it.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(realpath -m "$1"); shift
case $(uname -m) in x86_64) rid=linux-x64 ;; aarch64) rid=linux-arm64 ;; *) echo "no image for $(uname -m)" >&2; exit 1 ;; esac
for project in "$@"; do
  dotnet publish "$root/$project" -c Release -r "$rid" --self-contained false -o "$out" --nologo -v q -clp:NoSummary \
    -p:PublishReadyToRun="${READY_TO_RUN:-true}" -p:DebugType=none -p:ArtifactsPath="${WORK:-$root/.redoubt/images/build}"
done
# What Windows and other processors would need of the native libraries.
find "$out/runtimes" -mindepth 1 -maxdepth 1 ! -name "$rid" -exec rm -rf {} + 2>/dev/null || true
