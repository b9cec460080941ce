# SPDX-License-Identifier: GPL-3.0-or-later
# Makes memtest-x64.iso, memtest86+ (x64 build).
packages="memtest86+ grub-pc-bin"
results=memtest-x64.iso
sources=$here/media/parts/memtest.sh

. "$sources"

make_it() {
    make_memtest_disc memtest-x64.iso x64
}
