# SPDX-License-Identifier: GPL-3.0-or-later
# Makes demo.iso, a small Linux with a shell on the screen and on the serial port.
kernel=$(kernel_package linux-image-cloud-amd64)
packages="$kernel busybox-static grub-pc-bin"
results=demo.iso
sources=$here/media/parts/demo-root.sh

. "$here/media/parts/demo-root.sh"

make_it() {
    need cpio cpio
    local kernel_dir
    kernel_dir=$(package_dir "$kernel")
    mkdir -p iso/boot/grub
    make_demo_root root "$kernel_dir" "$(package_dir busybox-static)"
    pack_root root iso/boot/initrd
    cp "$(kernel_of "$kernel_dir")" iso/boot/vmlinuz
    make_demo_menu "Vitrine demo" >iso/boot/grub/grub.cfg
    make_iso iso demo.iso VITRINE_DEMO
}
