# SPDX-License-Identifier: GPL-3.0-or-later
# What the recipes share: Debian packages, initial RAM disks, bootable discs. Sourced by make-media.sh.

say() {
    echo "make-media: $*" >&2
}

die() {
    say "$@"
    exit 1
}

# need TOOL PACKAGE …: stops with words when a tool is missing.
need() {
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || die "$1 is missing: apt-get install $2"
        shift 2
    done
}

# quietly COMMAND …: shows what it printed only when it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# --- packages: NAME, or NAME:i386 -------------------------------------------------------------------------------------

# Foreign packages come through package lists of their own, so that the system's apt knows nothing of them.
apt_options() {
    [ "$(id -u)" -ne 0 ] || echo "-o APT::Sandbox::User=root"
    case $1 in
    *:i386)
        local root=$cache/apt-i386
        mkdir -p "$root/lists/partial" "$root/archives/partial"
        [ -f "$root/status" ] || : >"$root/status"
        echo "-o APT::Architecture=i386 -o APT::Architectures=i386 -o Dir::State=$root -o Dir::State::lists=$root/lists"
        echo "-o Dir::State::status=$root/status -o Dir::Cache=$root"
        ;;
    esac
}

# Lists are fetched when there are none, or when they name a version that the archive no longer has. One list of several may
# fail (a mirror that is just being updated): the caller sees whether what came is enough.
apt_update() {
    case $1 in
    *:i386) apt-get $(apt_options "$1") -qq update >"$cache/apt.log" 2>&1 || true ;;
    *) if [ "$(id -u)" -eq 0 ]; then
            apt-get -qq update >"$cache/apt.log" 2>&1 || true
        else
            say "the package lists are stale; if this fails, run “sudo apt-get update”"
        fi ;;
    esac
}

apt_candidate() {
    apt-cache $(apt_options "$1") policy "${1%:*}" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v '(none)'
}

package_is_installed() {
    case $1 in *:*) return 1 ;; esac
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

package_version() {
    if package_is_installed "$1"; then
        dpkg-query -W -f '${Version}\n' "$1"
        return
    fi
    local known=$cache/deb/$1.version
    # Lists of today are good enough; a version once known is better than no network.
    if [ -f "$known" ] && [ -n "$(find "$known" -mmin -720)" ] && [ -d "$cache/deb/$1=$(cat "$known")" ]; then
        cat "$known"
        return
    fi
    local version
    version=$(apt_candidate "$1") || { [ -f "$known" ] && cat "$known" && return; } ||
        { apt_update "$1" && version=$(apt_candidate "$1"); } ||
        die "apt knows no package ${1%:*}; is there a network? $(tail -1 "$cache/apt.log" 2>/dev/null)"
    mkdir -p "$cache/deb"
    echo "$version" | tee "$known"
}

apt_download() {
    quietly apt-get $(apt_options "$1") download "${1%:*}=$2"
}

# Prints the folder with the package's files: / when it is installed.
package_dir() {
    if package_is_installed "$1"; then
        echo /
        return
    fi
    local version dir
    version=$(package_version "$1")
    dir=$cache/deb/$1=$version
    exec 8>"$cache/deb.lock"
    flock 8
    if [ ! -d "$dir" ]; then
        local part
        part=$(mktemp -d "$cache/deb/part-XXXXXX")
        say "fetching ${1%:*} $version"
        if ! (cd "$part" && { apt_download "$1" "$version" || { apt_update "$1" && apt_download "$1" "$version"; }; }); then
            rm -rf "$part"
            die "the package ${1%:*} $version cannot be fetched; is there a network?"
        fi
        mkdir "$part/files"
        dpkg -x "$part"/*.deb "$part/files"
        rm -rf "$cache/deb/$1="*
        mv "$part/files" "$dir"
        rm -rf "$part"
    fi
    exec 8>&-
    echo "$dir"
}

# The package that a kernel's meta package stands for: kernel_package linux-image-amd64
kernel_package() {
    local suffix= name known=$cache/deb/$1.kernel
    case $1 in *:*) suffix=:${1#*:} ;; esac
    package_version "$1" >/dev/null
    name=$(apt-cache $(apt_options "$1") depends "${1%:*}" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9][^ ]*\)$/\1/p' |
           head -1)
    [ -n "$name" ] || { [ -f "$known" ] && name=$(cat "$known"); } || die "${1%:*} names no kernel"
    mkdir -p "$cache/deb"
    echo "$name" >"$known"
    echo "$name$suffix"
}

# --- initial RAM disks ------------------------------------------------------------------------------------------------

# make_root DIR BUSYBOX-DIR: a root file system whose every command is busybox.
make_root() {
    mkdir -p "$1"/{bin,dev,etc,proc,root,run,sys,tmp,usr/bin,usr/sbin,sbin,lib/modules}
    cp "$2/bin/busybox" "$1/bin/busybox"
    local applet
    for applet in $(busybox_applets "$1/bin/busybox"); do
        [ "$applet" = busybox ] || ln -sf busybox "$1/bin/$applet"
    done
    ln -sf ../bin/busybox "$1/sbin/init"
    ln -sf sbin/init "$1/init"
    printf 'root::0:0:root:/root:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\n' >"$1/etc/group"
}

# What a busybox can do, read from its own list: one of a foreign architecture need not run here.
busybox_applets() {
    "$1" --list 2>/dev/null || busybox --list
}

# add_modules DIR KERNEL-DIR NAME …: modules without their dependencies (name those, too, in order); built-in ones are skipped.
add_modules() {
    local dir=$1 kernel=$2 name file
    shift 2
    for name in "$@"; do
        file=$(find "$kernel/lib/modules" -name "$name.ko*" | head -1)
        [ -n "$file" ] || continue
        cp "$file" "$dir/lib/modules/"
        echo "$name" >>"$dir/lib/modules/order"
    done
}

# pack_root DIR FILE: not compressed, as unpacking costs a software CPU more than reading.
pack_root() {
    (cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$2"
}

# --- discs ------------------------------------------------------------------------------------------------------------

# make_iso DIR FILE LABEL: El Torito with GRUB for BIOS; DIR/boot/grub/grub.cfg is the menu, if there.
make_iso() {
    need grub-mkrescue grub-common xorriso xorriso mformat mtools
    quietly grub-mkrescue -d "$(package_dir grub-pc-bin)/usr/lib/grub/i386-pc" --compress=xz --fonts= --locales= --themes= \
        -o "$2" "$1" -- -volid "$3"
}

kernel_of() {
    local kernel
    kernel=$(find "$1/boot" -name 'vmlinuz-*' | head -1)
    [ -n "$kernel" ] || die "there is no kernel in $1"
    echo "$kernel"
}
