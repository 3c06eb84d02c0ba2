#!/bin/sh
# Build both images with docker, podman or buildah, whichever is there, print their sizes, and copy the list of what each is made of
# into build/sbom: `make images`.
# BASE is the base image (see the Dockerfiles), TAG the tag (default: the project's version), REGISTRY what goes before the names. With
# podman and buildah VOLUMES are mounted while it builds, as behind a proxy with its own authority:
# VOLUMES="/etc/ssl/certs:/etc/ssl/certs:ro /etc/pip.conf:/etc/pip.conf:ro".
set -eu
cd "$(dirname "$0")/.."
tag=${TAG:-$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml | head -1)}
registry=${REGISTRY:-localhost}
tool=${BUILDER:-}
if [ -z "$tool" ]; then
    for candidate in docker podman buildah; do
        # A client without its engine builds nothing.
        if command -v "$candidate" >/dev/null && "$candidate" info >/dev/null 2>&1; then tool=$candidate; break; fi
    done
fi
case "$tool" in
docker | podman) build="$tool build" ;;
buildah) build="buildah build --isolation ${ISOLATION:-oci}" ;;
*)
    echo "error: none of docker, podman and buildah works here: install one, or name it in BUILDER" >&2
    exit 1
    ;;
esac
mounts=$(for volume in ${VOLUMES:-}; do printf -- '--volume %s ' "$volume"; done)
list=/usr/share/doc/sark/sbom.cdx.json
mkdir -p build/sbom
for name in operator sidecar; do
    image=$registry/sark-$name:$tag
    echo "== $image with $tool"
    # shellcheck disable=SC2086 - the words of $build and $mounts are arguments
    $build $mounts ${BASE:+--build-arg "BASE=$BASE"} --file "images/$name.Dockerfile" --tag "$image" .
    if [ "$tool" = buildah ]; then
        container=$(buildah from --quiet --pull-never "$image")
        buildah run --isolation "${ISOLATION:-oci}" "$container" -- cat "$list" >"build/sbom/sark-$name.cdx.json"
        buildah rm "$container" >/dev/null
    else
        $tool run --rm --entrypoint cat "$image" "$list" >"build/sbom/sark-$name.cdx.json"
    fi
    echo "build/sbom/sark-$name.cdx.json"
done
for name in operator sidecar; do $tool images "$registry/sark-$name:$tag"; done
