#!/usr/bin/env bash
# `make demo` is the first thing that anyone runs: the story must hold, and leave nothing behind.
set -euo pipefail
export TMPDIR
TMPDIR=$(mktemp -d)
trap 'rm -rf "$TMPDIR"' EXIT
"${MERO_SOURCE_DIR:?}/scripts/demo"
left=$(find "$TMPDIR" -mindepth 1 | head)
[ -z "$left" ] || { echo "the demo left behind: $left"; exit 1; }
