# SPDX-License-Identifier: GPL-3.0-or-later
# Makes memtest-ia32.iso, memtest86+ (ia32 build).
packages="memtest86+ grub-pc-bin"
results=memtest-ia32.iso
sources=$here/media/parts/memtest.sh

. "$sources"

make_it() {
    make_memtest_disc memtest-ia32.iso ia32
}
