#!/bin/sh
# Fuzz every target for so many seconds (default 60): stable Rust, libFuzzer, address sanitizer.
# The flags are those of cargo-fuzz; RUSTC_BOOTSTRAP=1 allows them on a stable compiler.
set -eu
seconds=${1:-60}
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
target=x86_64-unknown-linux-gnu
kept=$root/.cache/fuzz
sancov="-Cllvm-args=-sanitizer-coverage"
flags="-Cpasses=sancov-module $sancov-level=4 $sancov-inline-8bit-counters $sancov-pc-table $sancov-trace-compares"
export RUSTC_BOOTSTRAP=1
export RUSTFLAGS="$flags --cfg fuzzing -Zsanitizer=address -Cdebug-assertions -Ccodegen-units=4"
cd "$root/engine-rs/fuzz"
cargo build --release --target "$target"
findings=""
for source in fuzz_targets/*.rs; do
    name=$(basename "$source" .rs)
    mkdir -p "$kept/$name/corpus"
    # libFuzzer takes one dictionary.
    cat json.dict > "$kept/$name/dict"
    if [ -f "$name.dict" ]; then cat "$name.dict" >> "$kept/$name/dict"; fi
    echo "== $name"
    # What a run keeps, as in a cache or a server's thread, is no leak: looked for after each it is most of the time. At the end
    # the sanitizer looks once.
    "./target/$target/release/$name" -max_total_time="$seconds" -max_len=4096 -timeout=30 -rss_limit_mb=4096 -detect_leaks=0 \
        -print_final_stats=1 -dict="$kept/$name/dict" -artifact_prefix="$kept/$name/" "$kept/$name/corpus" "seeds/$name" 2>&1 | tee "$kept/$name.log" |
        grep -E "ERROR|panicked|SUMMARY|stat::number_of_executed_units|stat::average_exec_per_sec|Test unit written" || true
    # Every target has its turn before the run fails.
    if grep -qE "Test unit written|ERROR: .*Sanitizer" "$kept/$name.log"; then findings="$findings $name"; fi
done
if [ -n "$findings" ]; then
    echo "error: findings in .cache/fuzz of:$findings" >&2
    exit 1
fi
