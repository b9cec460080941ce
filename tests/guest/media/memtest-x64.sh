# SPDX-License-Identifier: GPL-3.0-or-later
# Makes memtest-x64.iso, memtest86+ (x64 build).
packages="memtest86+ grub-pc-bin"
results=memtest-x64.iso

make_it() {
    mkdir -p iso/boot/grub
    cp "$(package_dir memtest86+)/boot/memtest86+x64.bin" iso/boot/memtest.bin
    cat >iso/boot/grub/grub.cfg <<'END'
terminal_output console
linux16 /boot/memtest.bin
boot
END
    make_iso iso memtest-x64.iso MEMTEST
}
