# SPDX-License-Identifier: GPL-3.0-or-later
# Makes pae.iso, the demo with Debian's 32-bit kernel.
kernel=$(kernel_package linux-image-686-pae:i386)
packages="$kernel busybox-static:i386 grub-pc-bin"
results=pae.iso
sources=$here/media/parts/demo-root.sh

. "$here/media/parts/demo-root.sh"

make_it() {
    need cpio cpio
    local kernel_dir
    kernel_dir=$(package_dir "$kernel")
    mkdir -p iso/boot/grub
    make_demo_root root "$kernel_dir" "$(package_dir busybox-static:i386)"
    pack_root root iso/boot/initrd
    cp "$(kernel_of "$kernel_dir")" iso/boot/vmlinuz
    make_demo_menu "Vitrine demo, 32 bits" >iso/boot/grub/grub.cfg
    make_iso iso pae.iso VITRINE_PAE
}
