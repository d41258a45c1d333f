#!/usr/bin/env bash
# Fuzzes for a while on the stable toolchain, without cargo-fuzz: fuzz/run.sh SECONDS [TARGET...]
#
# Each target runs for that many seconds (0: over its seeds only), its corpus grows in fuzz/corpus/TARGET, and an
# input that breaks it is kept in fuzz/artifacts/TARGET. Exit status 1 if one did. Several at a time: JOBS=2. The same
# changes to the inputs in the same order each time: SEED=1.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:?usage: fuzz/run.sh SECONDS [TARGET...]}
shift

# What `cargo fuzz build -s none` passes to the compiler. The address sanitizer would need a nightly toolchain; the
# project has no unsafe code of its own for it to watch.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares"
export CARGO_TARGET_DIR=$PWD/target
host=$(rustc -vV | sed -n 's/^host: //p')
# With --target, the flags reach neither build scripts nor procedural macros.
cargo build --release --target "$host" --bins

if [ $# -eq 0 ]; then
    set -- $(cd fuzz_targets && printf '%s\n' *.rs | sed 's/\.rs$//')
fi

fuzz_one() {
    local target=$1 seconds=$2 log
    mkdir -p "corpus/$target" "artifacts/$target" target/logs
    log=target/logs/$target.log
    local flags=(-artifact_prefix="artifacts/$target/" -timeout=20 -rss_limit_mb=2048 -max_len=16384 -seed="${SEED:-0}")
    if [ "$seconds" -gt 0 ]; then flags+=(-max_total_time="$seconds"); else flags+=(-runs=0); fi
    [ -f "dict/${target%%_*}.dict" ] && flags+=(-dict="dict/${target%%_*}.dict")
    local inputs=("corpus/$target")
    [ -d "seeds/$target" ] && inputs+=("seeds/$target")
    if "$BINARIES/$target" "${flags[@]}" "${inputs[@]}" >"$log" 2>&1 </dev/null; then
        echo "ok      $target: $(grep -E '^(Done|#[0-9]+[[:space:]]+DONE)' "$log" | tail -1)"
    else
        echo "BROKEN  $target:"
        tail -25 "$log"
        return 1
    fi
}
export -f fuzz_one
export BINARIES=$CARGO_TARGET_DIR/$host/release
printf '%s\n' "$@" | xargs -P "${JOBS:-1}" -I{} bash -c 'fuzz_one "$1" "$2" || exit 1' _ {} "$seconds"
