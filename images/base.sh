#!/bin/sh
# Make a base image of Debian's packages for machines that cannot pull one: images/base.sh NAME [SUITE] (root, buildah, debootstrap).
# SUITE is which Debian, and with that which Python: by default trixie, with 3.13.
set -eu
name=${1:?"usage: images/base.sh NAME, as in localhost/python:trixie"}
suite=${2:-trixie}
for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || { echo "error: $tool is not on PATH: apt-get install $tool" >&2; exit 1; }
done
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
echo "== Debian $suite with Python (about a minute)"
debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$suite" "$root/base" >"$root/log" 2>&1 \
    || { tail -20 "$root/log" >&2; exit 1; }
rm -rf "$root"/base/var/cache/apt/* "$root"/base/var/lib/apt/lists/* "$root"/base/usr/share/doc "$root"/base/usr/share/man \
    "$root"/base/usr/share/locale "$root"/base/var/log/*
container=$(buildah from scratch)
buildah copy --quiet "$container" "$root/base" / >/dev/null
buildah commit --quiet --rm "$container" "$name" >/dev/null
echo "made $name"
