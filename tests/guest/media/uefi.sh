# SPDX-License-Identifier: GPL-3.0-or-later
# Makes uefi.iso, the demo on a disc that only UEFI boots; its screen stays as firmware left it.
results=uefi.iso

. "$here/media/parts/uefi.sh"

make_it() {
    need grub-mkrescue grub-common xorriso xorriso mformat mtools
    make_uefi_tree
    quietly grub-mkrescue -d "$(grub_modules)" --compress=xz --fonts= --locales= --themes= -o uefi.iso iso -- -volid VITRINE_UEFI
}
