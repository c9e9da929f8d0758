#!/usr/bin/env bash
# tests/regress.sh SOURCE [17|18]: runs PostgreSQL's own regression files (SOURCE/src/test/regress) on Redoubt and, beside it, on a stock server of the same
# binaries, and compares what psql prints. Between files the compute is wiped now and then: WIPES=6 after one of six, WIPES=0 never.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source=${1:?usage: tests/regress.sh SOURCE [17|18]} major=${2:-17} wipes=${WIPES:-6}
regress=$(readlink -f "$source")/src/test/regress
[ -f "$regress/parallel_schedule" ] || { echo "$regress/parallel_schedule is not there: SOURCE is an unpacked PostgreSQL source" >&2; exit 2; }
cd "$root"
scratch=$(mktemp -d) name=regress-$major
cleanup() {
  [ -z "${stock_pid:-}" ] || { kill -INT "$stock_pid" && wait "$stock_pid"; } 2>/dev/null || true
  ./redoubt down --name "$name" --destroy >/dev/null 2>&1 || true
  rm -rf "$scratch"
}
trap cleanup EXIT

./redoubt up --name "$name" --postgres "$major" --port 5470 --detach >"$scratch/up"
redoubt=$(grep -o 'postgresql://[^ /]*' "$scratch/up" | head -1)
bin=$(psql -XqAt "$redoubt/postgres" -c "SELECT setting FROM pg_config WHERE name = 'BINDIR'")
port=$((5471 + RANDOM % 1000)) stock=postgresql://postgres@127.0.0.1:$port
as=()
if [ "$(id -u)" = 0 ]; then
  user=$(getent passwd postgres >/dev/null && echo postgres || echo nobody)
  as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
  chmod 755 "$scratch"
fi
mkdir "$scratch/server" && chmod 777 "$scratch/server"
"${as[@]}" "$bin/initdb" -D "$scratch/server/data" -U postgres -A trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null
"${as[@]}" "$bin/postgres" -D "$scratch/server/data" -p "$port" -c unix_socket_directories="$scratch/server" -c fsync=off >"$scratch/stock.log" 2>&1 &
stock_pid=$!

await() {
  for _ in {1..600}; do ! psql -XqAt "$1" -c 'SELECT 1' >/dev/null 2>&1 || return 0; sleep 0.1; done
  echo "nobody answers at $1; $(tail -1 "$scratch/stock.log")" >&2
  return 1
}

run() {
  local side=$1 server=$2 file setting
  mkdir -p "$scratch/$side/results" && chmod -R 777 "$scratch/$side"
  await "$server/postgres"
  psql -Xq "$server/postgres" -c 'CREATE DATABASE regression TEMPLATE template0'
  for setting in "lc_messages TO 'C'" "lc_monetary TO 'C'" "lc_numeric TO 'C'" "lc_time TO 'C'" "bytea_output TO 'hex'" "timezone_abbreviations TO 'Default'"; do
    psql -Xq "$server/postgres" -c "ALTER DATABASE regression SET $setting"
  done
  for file in $(sed -n 's/^test: *//p' "$regress/parallel_schedule"); do
    PGTZ=America/Los_Angeles PGDATESTYLE='Postgres, MDY' PGOPTIONS='-c intervalstyle=postgres_verbose' LANG=C PG_ABS_SRCDIR=$regress PG_ABS_BUILDDIR=$scratch/$side \
      PG_LIBDIR=/nowhere PG_DLSUFFIX=.so timeout 300 psql -Xaq "$server/regression" <"$regress/sql/$file.sql" 2>&1 | sed "s|$scratch/$side|BUILDDIR|g" >"$scratch/$side/$file.out" || true
    await "$server/regression"
    if [ "$side" = redoubt ] && [ "$wipes" != 0 ] && [ $((RANDOM % wipes)) = 0 ]; then
      ./redoubt drill wipe compute --name "$name" >/dev/null
      echo wiped >>"$scratch/wipes"
      await "$server/regression"
    fi
  done
}

run redoubt "$redoubt" &
ours=$!
run stock "$stock"
wait "$ours"
files=0 different=0
for out in "$scratch"/stock/*.out; do
  files=$((files + 1))
  if ! diff -u "$out" "$scratch/redoubt/$(basename "$out")" --label stock --label redoubt >"$scratch/diff"; then
    different=$((different + 1))
    echo "== $(basename "$out" .out): $(grep -c '^[+-][^+-]' "$scratch/diff") lines"
    sed -n '3,12p' "$scratch/diff"
  fi
done
echo "$files files, $different differ; the compute was wiped $(cat "$scratch/wipes" 2>/dev/null | wc -l) times"
./redoubt verify cluster --name "$name" | tail -1
