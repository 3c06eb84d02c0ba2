#!/bin/sh
# Sees to it that there is a Chromium for `make test-page`: one that is there, else Debian's, where this may install packages. Ends with
# one sentence when there is none, and within ten minutes however the network is.
set -eu
browsers="chromium chromium-browser google-chrome"
find_one() {
    for name in $browsers; do
        command -v "$name" && return
    done
    return 1
}
if found=$(find_one); then
    echo "browser: $found"
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "error: no browser: none of $browsers is on PATH; install one, as by \`apt-get install chromium\`" >&2
    exit 1
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
patient() {
    DEBIAN_FRONTEND=noninteractive timeout --kill-after=10 "$1" apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 \
        -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o Dpkg::Options::=--force-confold "$2" $3 >"$log" 2>&1 </dev/null
}
echo "== installing chromium with apt-get (about a minute)"
patient 180 update "" || true  # lists of before may do
if ! patient 400 install "--no-install-recommends chromium" || ! found=$(find_one); then
    why=$(grep '^E:' "$log" | tail -1)
    echo "error: no browser: apt-get could not install chromium: ${why:-it did not end in time}" >&2
    exit 1
fi
echo "browser: $found"
