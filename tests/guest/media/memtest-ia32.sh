# SPDX-License-Identifier: GPL-3.0-or-later
# Makes memtest-ia32.iso, memtest86+ (ia32 build).
packages="memtest86+ grub-pc-bin"
results=memtest-ia32.iso

make_it() {
    mkdir -p iso/boot/grub
    cp "$(package_dir memtest86+)/boot/memtest86+ia32.bin" iso/boot/memtest.bin
    cat >iso/boot/grub/grub.cfg <<'END'
terminal_output console
linux16 /boot/memtest.bin
boot
END
    make_iso iso memtest-ia32.iso MEMTEST
}
