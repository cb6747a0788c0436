#!/bin/sh
# Rebuilds requirements/*.txt: hash-pinned, without addresses, one consistent set for all extras.
set -eu
cd "$(dirname "$0")/.."
uv="$(command -v uv || echo .uv/bin/uv)"
all="$(mktemp)"
trap 'rm -f "$all"' EXIT

compile() {
    out="$1"
    shift
    "$uv" pip compile --quiet --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
        --no-header --no-emit-index-url --no-annotate "$@" --output-file "$out"
}

compile "$all" --all-extras pyproject.toml
compile requirements/base.txt --generate-hashes --constraint "$all" pyproject.toml
compile requirements/airflow.txt --generate-hashes --constraint "$all" --extra airflow pyproject.toml
# Tests run every orchestrator for real, so the developers' lock holds all extras.
compile requirements/dev.txt --generate-hashes --constraint "$all" --all-extras pyproject.toml
echo uv | compile requirements/uv.txt --generate-hashes -
