#!/usr/bin/env bash
# Runs every peer against a hub of the release binary: conformance/run.sh [DATA]
#
# DATA is a folder with the public feeds (../shared/data if it is there). The Python peers come from the Python index, into
# a virtual environment below target/; the Go peer is built from Debian's golang-go and golang-golang-x-mod-dev. What is
# missing is skipped with a line that says so; with RINGFENCE_REQUIRE_PEERS=1 that is a failure.
#
# RINGFENCE_BINARY names another binary than the release build.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$target/conformance
data=${1:-$PWD/../shared/data}
mkdir -p "$work"

if [ -z "${RINGFENCE_BINARY:-}" ]; then
    cargo build --release -p ringfence
    RINGFENCE_BINARY=$target/release/ringfence
fi

if ! [ -x "$work/venv/bin/python" ]; then
    python3 -m venv "$work/venv" || rm -rf "$work/venv"
fi
python=$work/venv/bin/python
if ! { [ -x "$python" ] && "$python" -m pip install -q --disable-pip-version-check -r "$here/requirements.txt"; }; then
    # drive.py says which peers that costs.
    python=python3
fi

unset RINGFENCE_LEDGER_GO
libraries=/usr/share/gocode
if command -v go >/dev/null && [ -d "$libraries/src/golang.org/x/mod" ]; then
    # Debian's libraries lie in a GOPATH, so nothing is downloaded.
    if GO111MODULE=off GOPATH=$libraries GOFLAGS= GOCACHE=$work/go go build -o "$work/ledger_go" "$here/ledger_go/main.go"; then
        export RINGFENCE_LEDGER_GO=$work/ledger_go
    fi
fi

export PYTHONDONTWRITEBYTECODE=1
exec "$python" "$here/drive.py" "$RINGFENCE_BINARY" "$data" </dev/null
