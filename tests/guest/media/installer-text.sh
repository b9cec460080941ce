# SPDX-License-Identifier: GPL-3.0-or-later
# Makes installer-text.iso, Debian 12's installer on the text screen.
packages="debian-installer-12-netboot-amd64 grub-pc-bin"
results=installer-text.iso
sources=$here/media/parts/installer.sh

. "$sources"

make_it() {
    make_installer_disc installer-text.iso DEBIAN_TEXT text <<'END'
menuentry "Install" {
    linux /boot/linux vga=normal fb=false nomodeset --- quiet
    initrd /boot/initrd.gz
}
menuentry "Rescue mode" {
    linux /boot/linux vga=normal fb=false nomodeset rescue/enable=true --- quiet
    initrd /boot/initrd.gz
}
END
}
