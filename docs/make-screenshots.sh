#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes docs/images/app-*.png anew, from the app with real machines on a display of its own.
#   docs/make-screenshots.sh BUILDDIR
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: docs/make-screenshots.sh BUILDDIR" >&2; exit 2; }
build=$(realpath "$1")
cd "$(dirname "$0")/.."
ctl=$build/src/cli/vitrinectl
work=$(mktemp -d)
pids=()

clean() {
    for name in Demo Rescue; do "$ctl" stop --force "$name" >/dev/null 2>&1 || true; done
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap clean EXIT

mkdir -m 700 "$work/run"
export XDG_RUNTIME_DIR=$work/run XDG_DATA_HOME=$work/data XDG_CONFIG_HOME=$work/config HOME=$work LC_ALL=C.UTF-8
export GDK_BACKEND=x11 GSK_RENDERER=cairo GTK_A11Y=none GSETTINGS_BACKEND=memory
unset WAYLAND_DISPLAY
exec 3<>"$work/run/display-number" 4>&1
Xvfb -displayfd 3 -screen 0 1400x900x24 -nolisten tcp >/dev/null 2>&1 & pids+=($!)
until [ -s "$work/run/display-number" ]; do sleep 0.1; done
DISPLAY=:$(head -1 "$work/run/display-number")
export DISPLAY
openbox >/dev/null 2>&1 & pids+=($!)

HOME=${SUDO_HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)} tests/guest/make-media.sh demo "$work"
"$ctl" create "$work/demo.iso" --name Demo --memory 512M --start
"$ctl" create "$work/demo.iso" --name Rescue --memory 256M

# The window, when it has settled.
photograph() {
    sleep 2
    import -window "$(xdotool search --onlyvisible --name '^(Vitrine|Demo|Rescue)$' | tail -1)" "docs/images/$1.png"
    echo "docs/images/$1.png"
}

app() {
    dbus-run-session -- "$build/src/ui/vitrine" "$@" >/dev/null 2>&1 & pids+=($!)
    timeout 30 xdotool search --sync --onlyvisible --name '^(Vitrine|Demo|Rescue)$' >/dev/null
}

"$ctl" wait Demo --for 'text:demo:.*#' --timeout 120
"$ctl" type Demo 'uname -srm; free -m | head -2\n'
"$ctl" wait Demo --for 'text:Mem:' --timeout 30
mkdir -p docs/images
app "$XDG_DATA_HOME/vitrine/machines/Demo.vitrine"
photograph app-demo
xdotool keydown ctrl keydown alt keyup alt keyup ctrl key alt+Left # out of the guest, back to the library
sleep 4 # a thumbnail's age
photograph app-library
