# SPDX-License-Identifier: GPL-3.0-or-later
# Makes installer-gtk.iso, Debian 12's graphical installer in a VBE mode.
packages="debian-installer-12-netboot-amd64 grub-pc-bin"
results=installer-gtk.iso
sources=$here/media/parts/installer.sh

. "$sources"

make_it() {
    make_installer_disc installer-gtk.iso DEBIAN_GTK gtk <<'END'
insmod all_video
menuentry "Graphical install" {
    set gfxpayload=800x600x32,800x600
    linux /boot/linux --- quiet
    initrd /boot/initrd.gz
}
END
}
