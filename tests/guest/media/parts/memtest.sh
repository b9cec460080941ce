# SPDX-License-Identifier: GPL-3.0-or-later
# A disc that starts memtest86+ at once, shared by its two builds.

# make_memtest_disc FILE BUILD
make_memtest_disc() {
    mkdir -p iso/boot/grub
    cp "$(package_dir memtest86+)/boot/memtest86+$2.bin" iso/boot/memtest.bin
    cat >iso/boot/grub/grub.cfg <<'END'
terminal_output console
linux16 /boot/memtest.bin
boot
END
    make_iso iso "$1" MEMTEST
}
