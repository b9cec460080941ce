# SPDX-License-Identifier: GPL-3.0-or-later
# Makes uefi-disk.qcow2, the demo on a partitioned disk with EFI/BOOT/BOOTX64.EFI; its console is on the firmware's screen.
results=uefi-disk.qcow2

. "$here/media/parts/uefi.sh"

# Where firmware looks on a disk that it has no boot entry for: the removable media path (UEFI 2.10 §3.5.1.1).
make_esp() {
    quietly mformat -i esp -C -T $(($1 * 2048)) -F -v ESP ::
    mmd -i esp ::/EFI ::/EFI/BOOT ::/boot ::/boot/grub
    mcopy -i esp loader.efi ::/EFI/BOOT/BOOTX64.EFI
    mcopy -i esp iso/boot/vmlinuz iso/boot/initrd ::/boot/
    mcopy -i esp iso/boot/grub/grub.cfg ::/boot/grub/
}

make_it() {
    need grub-mkimage grub-common mformat mtools sfdisk fdisk qemu-img qemu-utils
    local esp_mib=40
    make_uefi_tree 'insmod all_video' 'set gfxpayload=keep'
    quietly grub-mkimage -d "$(grub_modules)" -O x86_64-efi -o loader.efi -p '(hd0,gpt1)/boot/grub' \
        part_gpt fat normal linux all_video boot
    make_esp $esp_mib
    truncate -s $((esp_mib + 4))M disk
    printf 'label: gpt\nstart=2048, size=%d, type=uefi\n' $((esp_mib * 2048)) >table
    quietly sfdisk disk <table
    dd if=esp of=disk bs=1M seek=1 conv=notrunc status=none
    quietly qemu-img convert -O qcow2 disk uefi-disk.qcow2
}
