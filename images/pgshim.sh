#!/usr/bin/env bash
# pgshim.sh OUT: compiles services/pgshim/pgshim.c.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
mkdir -p "$(dirname "$1")"
cc -O2 -fPIC -shared -Wall -Werror -o "$1" "$root/services/pgshim/pgshim.c" -ldl
