# SPDX-License-Identifier: GPL-3.0-or-later
# Makes installer-gtk.iso, Debian 12's graphical installer in a VBE mode.
packages="debian-installer-12-netboot-amd64 grub-pc-bin"
results=installer-gtk.iso

make_it() {
    local from
    from=$(package_dir debian-installer-12-netboot-amd64)/usr/lib/debian-installer/images/12/amd64/gtk/debian-installer/amd64
    mkdir -p iso/boot/grub
    cp "$from/linux" "$from/initrd.gz" iso/boot/
    cat >iso/boot/grub/grub.cfg <<'END'
set timeout=20
terminal_output console
insmod all_video
menuentry "Graphical install" {
    set gfxpayload=800x600x32,800x600
    linux /boot/linux --- quiet
    initrd /boot/initrd.gz
}
END
    make_iso iso installer-gtk.iso DEBIAN_GTK
}
