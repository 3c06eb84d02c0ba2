#!/bin/sh
# Sees to it that there is a Chromium for the tests of the page: Debian's, where this may install packages. Without one they are skipped,
# and say so; in continuous integration they fail.
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
echo "no browser: the tests of the page will be skipped; install chromium to run them"
