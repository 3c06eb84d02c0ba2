#!/bin/sh
# Checks that cargo is there and new enough for engine-rs, with the parts that `make check` uses; says what to install when not.
set -eu

manifest="$(dirname "$0")/../engine-rs/Cargo.toml"
needed="$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$manifest")"
want="install Rust $needed or newer with rustfmt and clippy (rustup does) and put cargo on PATH"

if ! command -v cargo >/dev/null; then
    echo "error: cargo was not found: $want" >&2
    exit 1
fi
found="$(cargo --version | cut -d' ' -f2)"
if [ "$(printf '%s\n%s\n' "$needed" "$found" | sort -V | head -n1)" != "$needed" ]; then
    echo "error: Rust $found is too old: $want" >&2
    exit 1
fi
