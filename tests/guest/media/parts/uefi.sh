# SPDX-License-Identifier: GPL-3.0-or-later
# The demo's Linux for firmware that is UEFI, shared by its disc and its disk.

kernel=$(kernel_package linux-image-cloud-amd64)
packages="$kernel busybox-static grub-efi-amd64-bin"
sources="$here/media/parts/uefi.sh $here/media/parts/demo.sh"

. "$here/media/parts/demo.sh"

grub_modules() {
    echo "$(package_dir grub-efi-amd64-bin)/usr/lib/grub/x86_64-efi"
}

# make_uefi_tree [LINE …]: iso/boot with kernel, initial RAM disk and a menu that begins with these lines.
make_uefi_tree() {
    need cpio cpio
    local kernel_dir
    kernel_dir=$(package_dir "$kernel")
    mkdir -p iso/boot/grub
    make_demo_root root "$kernel_dir" "$(package_dir busybox-static)"
    add_modules root "$kernel_dir" efivarfs
    echo 'mount -t efivarfs efivarfs /sys/firmware/efi/efivars' >>root/etc/rc
    pack_root root iso/boot/initrd
    cp "$(kernel_of "$kernel_dir")" iso/boot/vmlinuz
    printf '%s\n' "$@" 'linux /boot/vmlinuz quiet console=tty0 console=ttyS0' 'initrd /boot/initrd' boot >iso/boot/grub/grub.cfg
}
