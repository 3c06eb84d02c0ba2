#!/bin/sh
# Sees to it that there is a Chromium for `make test-page`: Debian's, where this may install packages.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" > /dev/null; then
        echo "browser: $(command -v "$name")"
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "== installing chromium"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium > /dev/null
    exit
fi
echo "error: no browser; install chromium" >&2
exit 1
