#!/bin/sh
# Count what the engine's runs take (profile-guided optimisation), into .cache/pgo/engine.profdata, for `make pgo`: sh tools/pgo.sh PYTHON
# An instrumented engine answers what sark_e2e.training asks. llvm-profdata must be of the LLVM that rustc has.
set -eu
python=$1
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
kept=$root/.cache/pgo
manifest=$root/engine-rs/crates/sark-engine-py/Cargo.toml
maturin=$(dirname "$python")/maturin

major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
host=$(rustc -vV | sed -n 's/^host: //p')
profdata=""
for candidate in "${LLVM_PROFDATA:-}" "$(rustc --print sysroot)/lib/rustlib/$host/bin/llvm-profdata" "llvm-profdata-$major" llvm-profdata; do
    if [ -n "$candidate" ] && "$candidate" merge --version 2>/dev/null | grep -q "LLVM version $major\."; then
        profdata=$candidate
        break
    fi
done
if [ -z "$profdata" ]; then
    echo "error: no llvm-profdata of LLVM $major was found: rustup component add llvm-tools, or install llvm-$major, or name it in LLVM_PROFDATA" >&2
    exit 1
fi

echo "== building the engine's wheel that counts (1 of 2)"
rm -rf "$kept/wheels" "$kept/site" "$kept/counts"
RUSTFLAGS=-Cprofile-generate=$kept/counts "$maturin" build --profile pgo --locked --manifest-path "$manifest" --interpreter "$python" \
    --target-dir "$root/engine-rs/target/pgo-generate" --out "$kept/wheels"
"$python" -m pip install --quiet --no-deps --no-index --target "$kept/site" "$kept"/wheels/*.whl
echo "== letting it answer"
rm -rf "$kept/counts" # what build scripts counted
PYTHONPATH=$kept/site "$python" -m sark_e2e.training
"$profdata" merge --output "$kept/engine.profdata" "$kept"/counts/*.profraw
