# SPDX-License-Identifier: GPL-3.0-or-later
# The demo disc, shared by demo (64 bits) and pae (32 bits).

# make_demo_root DIR KERNEL-DIR BUSYBOX-DIR
make_demo_root() {
    make_root "$1" "$3"
    # The power button arrives through these.
    add_modules "$1" "$2" button evdev
    mkdir -p "$1/etc/acpi/PWRF"

    cat >"$1/etc/inittab" <<'END'
::sysinit:/etc/rc
tty1::respawn:-/bin/sh
ttyS0::respawn:-/bin/sh
::ctrlaltdel:/sbin/reboot
END
    ln -sf ../bin/busybox "$1/sbin/reboot"
    cat >"$1/etc/rc" <<'END'
#!/bin/sh
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
hostname demo
for module in $(cat /lib/modules/order 2>/dev/null); do insmod /lib/modules/$module.ko; done 2>/dev/null
mdev -s
acpid -c /etc/acpi -l /dev/null -p /run/acpid.pid 2>/dev/null
END
    cat >"$1/etc/acpi/PWRF/00000080" <<'END'
#!/bin/sh
poweroff
END
    cat >"$1/etc/profile" <<'END'
export PATH=/bin:/sbin PS1='demo:\w# ' HOME=/root
case $(tty) in /dev/tty*) [ "$(tty)" = /dev/ttyS0 ] || printf '\033[2J\033[H' ;; esac
cat <<MOTD

  Welcome to Vitrine.

  This is a small Linux ($(uname -r)) with $(grep -c ^processor /proc/cpuinfo) processor(s) and
  $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB of memory, in a machine of its own.
  Nothing here can touch your computer.

  Try:  uname -a    cat /proc/cpuinfo    top    vi /etc/motd    poweroff

MOTD
cd
END
    chmod +x "$1/etc/rc" "$1/etc/acpi/PWRF/00000080"
}

# make_demo_menu TITLE
make_demo_menu() {
    cat <<END
set timeout=1
set default=0
terminal_output console
menuentry "$1" {
    linux /boot/vmlinuz quiet console=ttyS0 console=tty0
    initrd /boot/initrd
}
menuentry "$1 (kernel messages)" {
    linux /boot/vmlinuz console=ttyS0 console=tty0
    initrd /boot/initrd
}
END
}

# make_demo_disc FILE LABEL TITLE KERNEL-PACKAGE BUSYBOX-PACKAGE [MODULE …]: the modules come on top of the power button's.
make_demo_disc() {
    need cpio cpio
    local file=$1 label=$2 title=$3 kernel_dir busybox_dir
    kernel_dir=$(package_dir "$4") busybox_dir=$(package_dir "$5")
    shift 5
    mkdir -p iso/boot/grub
    make_demo_root root "$kernel_dir" "$busybox_dir"
    add_modules root "$kernel_dir" "$@"
    pack_root root iso/boot/initrd
    cp "$(kernel_of "$kernel_dir")" iso/boot/vmlinuz
    make_demo_menu "$title" >iso/boot/grub/grub.cfg
    make_iso iso "$file" "$label"
}
