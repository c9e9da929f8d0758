#!/usr/bin/env bash
# rootfs.sh OUT [MAJOR...]: lays out the images as folders without a container engine: OUT/redoubt and OUT/redoubt-compute-pgMAJOR, each with
# rootfs/ and config.json (Entrypoint, Env, User). The same steps as the Dockerfiles, but for the base: instead of Debian's packages, the
# shared libraries that the binaries need and a shell are taken from this machine. Does nothing while OUT is newer than all sources.
# What ./redoubt has published from these very sources and the PostgreSQL that it has downloaded (the same package) are taken from REDOUBT_HOME
# (default .redoubt). REDOUBT_PG_BIN_17, _18: bin folder of another PostgreSQL.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
home=$(realpath -m "${REDOUBT_HOME:-$top/.redoubt}")
out=$(realpath -m "$1"); shift
majors=("${@:-17}")
dotnet_root=${DOTNET_ROOT:-$(dirname "$(readlink -f "$(command -v dotnet)")")}
work=$out/.work
mkdir -p "$out"
exec 9>"$out/.lock"
flock 9

newer() { # newer STAMP FOLDER...: whether a source there is
  local stamp=$1; shift
  [ -n "$(find "$@" "$top"/Directory.*.props "$top/global.json" \( -name bin -o -name obj \) -prune -o -type f -newer "$stamp" -print -quit)" ]
}

is_current() {
  local image
  for image in redoubt "${majors[@]/#/redoubt-compute-pg}"; do
    [ -e "$out/$image/stamp" ] && ! newer "$out/$image/stamp" "$top/services" "$top/operator" "$here" || return 1
  done
}
if is_current; then
  echo "the images in $out are newer than all sources"
  exit 0
fi
rm -rf "$work"
mkdir -p "$work"
touch "$work/stamp"

base() { # base ROOT: what debian:bookworm-slim and useradd give
  local root=$1
  mkdir -p "$root"/{etc,tmp,run,proc,dev,sys,bin,usr/bin,usr/share,var/lib/redoubt,lib64}
  ln -sfn ../run "$root/var/run"
  printf 'root:x:0:0:root:/:/bin/sh\nredoubt:x:10001:10001::/var/lib/redoubt:/usr/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nredoubt:x:10001:\n' >"$root/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
  cp -L /bin/sh "$root/bin/sh"
  local name
  for name in cat rm cp mkdir ls env locale setpriv setsid chown chmod id sleep; do [ ! -x "/usr/bin/$name" ] || cp -L "/usr/bin/$name" "$root/usr/bin/$name"; done
}

runtime() { # runtime ROOT: the shared .NET runtime, as in the aspnet image
  local root=$1/usr/share/dotnet version
  version=$(ls "$dotnet_root/shared/Microsoft.AspNetCore.App" | grep '^10\.' | sort -V | tail -1)
  mkdir -p "$root/host/fxr" "$root/shared/Microsoft.NETCore.App" "$root/shared/Microsoft.AspNetCore.App"
  cp -a "$dotnet_root/host/fxr/$version" "$root/host/fxr/"
  cp -a "$dotnet_root/shared/Microsoft.NETCore.App/$version" "$root/shared/Microsoft.NETCore.App/"
  cp -a "$dotnet_root/shared/Microsoft.AspNetCore.App/$version" "$root/shared/Microsoft.AspNetCore.App/"
}

libraries() { # libraries ROOT: what its binaries are linked with and does not hold yet, and what .NET opens by name
  local root=$1 library
  {
    find "$root" -type f \( -perm -u+x -o -name '*.so*' \) -print0 | xargs -0 -n 50 ldd 2>/dev/null || true
    printf '=> %s\n' $(ldconfig -p | awk '/lib(ssl|crypto)\.so\.3 |libnss_files\.so\.2 |libstdc\+\+\.so\.6 |libgcc_s\.so\.1 / && /x86-64|AArch64/ {print $NF}')
  } | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/lib64\/ld-[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/lib\/ld-[^ ]*\).*/\1/p' | sort -u |
    while read -r library; do
      case $library in "$root"*) continue ;; esac
      mkdir -p "$root$(dirname "$library")"
      cp -L "$library" "$root$library"
    done
}

config() { # config FOLDER ENTRYPOINT, words as in JSON
  printf '{"Entrypoint":[%s],"Env":{"PATH":"/usr/bin:/bin","DOTNET_TieredPGO":"0","DOTNET_EnableDiagnostics":"0","DOTNET_TC_CallCountingDelayMs":"7D0","DOTNET_GCgen0MaxBudget":"1000000","MALLOC_ARENA_MAX":"2","LANG":"C.UTF-8"},"User":"10001"}\n' "$2" >"$1/config.json"
}

image() { # image NAME ENTRYPOINT: swaps the finished folder in
  libraries "$work/$1/rootfs"
  config "$work/$1" "$2"
  chmod -R a+rX "$work/$1"
  touch -r "$work/stamp" "$work/$1/stamp"
  rm -rf "${out:?}/$1"
  mv "$work/$1" "$out/$1"
  echo "$1: $(du -sm "$out/$1/rootfs" | cut -f1) MB"
}

service() { # service OUT PROJECT: as in the Dockerfiles, or what ./redoubt has published from the same sources
  local published=$home/bin/$(basename "$2")
  if [ -d "$published" ] && [ "$(cat "$home/bin/stamp")" = "$top" ] && ! newer "$home/bin/stamp" "$top/services"; then
    mkdir -p "$1"
    cp -a "$published/." "$1/"
  else
    "$here/publish.sh" "$1" "$2"
  fi
}

export WORK=${WORK:-$out/.build}
root=$work/redoubt/rootfs
base "$root"
runtime "$root"
service "$root/redoubt" services/Redoubt.Storage
service "$root/redoubt" operator
image redoubt '"/redoubt/Redoubt.Storage"'

service "$work/redoubt-agent" services/Redoubt.Compute
"$here/pgshim.sh" "$work/redoubt-agent/pgshim.so"
for major in "${majors[@]}"; do
  root=$work/redoubt-compute-pg$major/rootfs
  base "$root"
  runtime "$root"
  cp -a "$work/redoubt-agent" "$root/redoubt"
  install -m 755 "$here/start.sh" "$root/redoubt/start"
  mv "$root/etc/passwd" "$root/etc/passwd.image"
  ln -s /tmp/passwd "$root/etc/passwd"
  given=REDOUBT_PG_BIN_$major
  postgres=${!given:-$home/postgres-$major/bin}/..
  if [ -e "$postgres/share/postgresql/postgres.bki" ] || [ -e "$postgres/share/postgres.bki" ]; then
    mkdir -p "$root/usr/lib/postgresql/$major"
    cp -a "$postgres/." "$root/usr/lib/postgresql/$major/"
  else
    "$here/postgres.sh" "$major" "$root/usr/lib/postgresql/$major"
  fi
  image "redoubt-compute-pg$major" '"/redoubt/start","/redoubt/Redoubt.Compute"'
done
rm -rf "$work"
