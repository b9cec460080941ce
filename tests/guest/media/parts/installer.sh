# SPDX-License-Identifier: GPL-3.0-or-later
# A disc with Debian 12's installer, shared by its text and graphical forms.

# make_installer_disc FILE LABEL FORM: the menu's entries come from standard input.
make_installer_disc() {
    local from
    from=$(package_dir debian-installer-12-netboot-amd64)/usr/lib/debian-installer/images/12/amd64/$3/debian-installer/amd64
    mkdir -p iso/boot/grub
    cp "$from/linux" "$from/initrd.gz" iso/boot/
    { printf 'set timeout=20\nterminal_output console\n'; cat; } >iso/boot/grub/grub.cfg
    make_iso iso "$1" "$2"
}
