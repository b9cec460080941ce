#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes discs and disks to boot, from Debian packages and nothing else.
#   make-media.sh TARGET OUTDIR      puts what TARGET makes into OUTDIR (links to a cache)
#   make-media.sh list               says what there is
# One target is one file in media/. Results are cached by what went into them (these scripts, package versions) under
# ${XDG_CACHE_HOME:-~/.cache}/vitrine/media, so a second call is quick and works without a network.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/vitrine/media
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

. "$here/media/lib.sh"

list_targets() {
    local file
    for file in "$here"/media/*.sh; do
        [ "${file##*/}" = lib.sh ] && continue
        printf '%-16s %s\n' "$(basename "$file" .sh)" "$(sed -n 's/^# Makes //p' "$file" | head -1)"
    done
}

main() { # read whole before it runs: the file may change meanwhile
[ "${1:-}" = list ] && { list_targets; exit 0; }
[ $# -eq 2 ] || { echo "usage: make-media.sh TARGET OUTDIR | list" >&2; exit 2; }
target=$1 outdir=$2
recipe=$here/media/$target.sh
[ -f "$recipe" ] && [ "$target" != lib ] || { echo "make-media: no such target: $target. There are:" >&2; list_targets >&2; exit 2; }

mkdir -p "$cache/deb" "$outdir"
exec 9>"$cache/$target.lock"
flock 9 # two at once would make the same thing twice

# A recipe sets `packages` (what goes in) and `results` (files it makes) and defines make_it, which runs in an empty folder.
packages= results=
. "$recipe"

key=$( { cat "$here/media/lib.sh" "$recipe" ${sources:-}; for p in $packages; do echo "$p $(package_version "$p")"; done; } |
       sha256sum | cut -c1-16)
made=$cache/$target-$key
if [ ! -f "$made/.complete" ]; then
    work=$(mktemp -d "$cache/work-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    chmod 755 "$work"
    say "making $results"
    (cd "$work" && make_it) || die "$target was not made; see above"
    for file in $results; do
        [ -s "$work/$file" ] || die "$target: $file was not made"
    done
    rm -rf "$made"
    mkdir "$made"
    for file in $results; do mv "$work/$file" "$made/"; done
    : >"$made/.complete"
    # Older versions of the same thing only take room.
    for old in "$cache/$target"-????????????????; do
        [ "$old" = "$made" ] || rm -rf "$old"
    done
fi
for file in $results; do
    # A disk is written to by its guest: it gets its own copy. Discs are only read.
    case $file in
    *.qcow2) cp --reflink=auto --remove-destination "$made/$file" "$outdir/$file" ;;
    *) ln -f "$made/$file" "$outdir/$file" 2>/dev/null || cp --remove-destination "$made/$file" "$outdir/$file" ;;
    esac
done
}

main "$@"
