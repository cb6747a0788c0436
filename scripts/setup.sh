#!/bin/sh
# Makes .venv/ from a hash-pinned lock: scripts/setup.sh base|airflow|dev
# Needs python3 and nothing else; does nothing if the lock is installed already.
set -eu
cd "$(dirname "$0")/.."
lock="${1:-base}"

stop() {
    echo "setup: $*" >&2
    exit 2
}

digest() { cat "requirements/$1.txt" pyproject.toml | cksum | cut -d' ' -f1; }

installed() { [ "$(cat ".venv/.installed-$1" 2>/dev/null)" = "$(digest "$1")" ]; }

# Every lock holds base, and dev holds all.
if [ -x .venv/bin/aepipe ]; then
    for enough in "$lock" dev $([ "$lock" != base ] || echo airflow); do
        if installed "$enough"; then exit 0; fi
    done
fi

case "$(uname -s) $(uname -m)" in
    "Linux x86_64") ;;
    *) stop "TFX's wheels exist for Linux on x86_64 only; this is $(uname -s) on $(uname -m)." \
            "Use such a machine, or a container of one." ;;
esac
command -v python3 >/dev/null || stop "python3 is missing; install it with the system's package manager."

# uv: the system's own, else a private one in .uv/, pinned by hash.
find_uv() {
    for candidate in "$(command -v uv || true)" .uv/bin/uv; do
        if [ -n "$candidate" ] && "$candidate" --version >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

get_uv() {
    echo "setup: getting uv" >&2
    rm -rf .uv
    if python3 -m venv .uv >/dev/null 2>&1 &&
        .uv/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt >&2; then
        return
    fi
    rm -rf .uv
    python3 -m pip install --quiet --target .uv --require-hashes -r requirements/uv.txt >&2 2>/dev/null ||
        rm -rf .uv
}

uv="$(find_uv)" || { get_uv; uv="$(find_uv)"; } ||
    stop "cannot install the pinned uv: install the system's package python3-venv (or uv itself)," \
        "check the network, and try again."

[ -x .venv/bin/python ] && .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
    "$uv" venv --quiet --clear --python 3.11 .venv ||
    stop "cannot find or get Python 3.11: install it (for example: uv python install 3.11) and try again."

rm -f .venv/.installed-*
echo "setup: installing requirements/$lock.txt into .venv (about 3 GB)" >&2
# TFX's dependencies are many small files; a slow mirror must not look like a dead one.
export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-180}"
"$uv" pip sync --quiet --require-hashes --python .venv/bin/python "requirements/$lock.txt" ||
    stop "cannot install requirements/$lock.txt; the lines above say why. Check the network and the disk."
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable . ||
    stop "cannot install aepipe itself; the lines above say why."
digest "$lock" >".venv/.installed-$lock"
