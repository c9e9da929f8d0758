#!/usr/bin/env bash
# build.sh [PREFIX] [TAG]: builds the three images with docker (or what DOCKER names, for example podman). PREFIX: registry.example.com/redoubt/
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
prefix=${1:-}
prefix=${prefix:+${prefix%/}/}
tag=${2:-$(sed -n 's/^appVersion: *"\?\([^"]*\)"\?$/\1/p' charts/redoubt/Chart.yaml)}
docker=${DOCKER:-docker}
"$docker" build -f images/Dockerfile -t "${prefix}redoubt:$tag" .
for major in 17 18; do
  "$docker" build -f images/Dockerfile.compute --build-arg "PG_MAJOR=$major" -t "${prefix}redoubt-compute:$tag-pg$major" .
done
"$docker" images --format '{{.Repository}}:{{.Tag}}  {{.Size}}' | grep -F "${prefix}redoubt" | grep -F ":$tag"
