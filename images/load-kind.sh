#!/usr/bin/env bash
# load-kind.sh [TAG] [CLUSTER]: puts the images into the nodes of a kind cluster.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tag=${1:-$(sed -n 's/^appVersion: *"\?\([^"]*\)"\?$/\1/p' charts/redoubt/Chart.yaml)}
kind load docker-image --name "${2:-redoubt}" "redoubt:$tag" "redoubt-compute:$tag-pg17" "redoubt-compute:$tag-pg18"
