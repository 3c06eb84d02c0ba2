#!/bin/sh
# usage: vendor.sh NODE_MODULES: copies what the browser loads from the installed packages, and writes down where it is from.
# npm has compared the packages with the integrity in package-lock.json.
set -eu
from=$1
to=operator/src/sark_operator/page/static/vendor
mkdir -p "$to"
cp "$from/htmx.org/dist/htmx.min.js" "$from/htmx.org/dist/ext/hx-sse.min.js" "$to/"
cp "$from/uplot/dist/uPlot.iife.min.js" "$from/uplot/dist/uPlot.min.css" "$to/"
cp "$from/htmx.org/LICENSE" "$to/htmx.LICENSE"
cp "$from/uplot/LICENSE" "$to/uPlot.LICENSE"
(cd "$to" && sha256sum htmx.min.js hx-sse.min.js uPlot.iife.min.js uPlot.min.css htmx.LICENSE uPlot.LICENSE > SHA256SUMS)
