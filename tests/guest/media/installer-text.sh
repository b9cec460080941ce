# SPDX-License-Identifier: GPL-3.0-or-later
# Makes installer-text.iso, Debian 12's installer on the text screen.
packages="debian-installer-12-netboot-amd64 grub-pc-bin"
results=installer-text.iso

make_it() {
    local from
    from=$(package_dir debian-installer-12-netboot-amd64)/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64
    mkdir -p iso/boot/grub
    cp "$from/linux" "$from/initrd.gz" iso/boot/
    cat >iso/boot/grub/grub.cfg <<'END'
set timeout=20
terminal_output console
menuentry "Install" {
    linux /boot/linux vga=normal fb=false nomodeset --- quiet
    initrd /boot/initrd.gz
}
menuentry "Rescue mode" {
    linux /boot/linux vga=normal fb=false nomodeset rescue/enable=true --- quiet
    initrd /boot/initrd.gz
}
END
    make_iso iso installer-text.iso DEBIAN_TEXT
}
