# SPDX-License-Identifier: GPL-3.0-or-later
# Makes virtio.qcow2 (and virtio-vmlinuz, virtio-initrd), a disk that boots a Linux which tries its virtio devices out.
. "$here/media/debian.sh" # how a disk gets its partition and GRUB
kernel=$(kernel_package linux-image-amd64)
packages="$kernel busybox-static grub-pc-bin"
results="virtio.qcow2 virtio-vmlinuz virtio-initrd"
sources="$here/media/debian.sh $here/media/parts/virtio-init $here/media/parts/random-reads.c"
size_mib=64

make_it() {
    need cpio cpio mke2fs e2fsprogs qemu-img qemu-utils grub-mkimage grub-common gcc gcc
    local kernel_dir disk=$PWD/virtio.raw
    kernel_dir=$(package_dir "$kernel")
    make_root root "$(package_dir busybox-static)"
    rm root/init
    cp "$here/media/parts/virtio-init" root/init
    chmod +x root/init
    quietly gcc -static -O2 -s -o root/bin/random-reads "$here/media/parts/random-reads.c"
    add_modules root "$kernel_dir" virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
        rng-core virtio-rng scsi_common scsi_mod crct10dif_common crc-t10dif crc64 crc64-rocksoft t10-pi sd_mod libata libahci \
        ahci crc16 mbcache jbd2 crc32c_generic libcrc32c ext4
    pack_root root virtio-initrd
    cp "$(kernel_of "$kernel_dir")" virtio-vmlinuz

    mkdir -p system/boot/grub
    cp virtio-vmlinuz virtio-initrd system/boot
    cat >system/boot/grub/grub.cfg <<'END'
linux /boot/virtio-vmlinuz quiet console=ttyS0 panic=-1 try=all
initrd /boot/virtio-initrd
boot
END
    truncate -s ${size_mib}M "$disk"
    write_partition_table "$disk"
    quietly mke2fs -q -t ext2 -E offset=$((start_mib << 20)) -d system "$disk" $((size_mib - start_mib))M
    install_grub "$disk"
    quietly qemu-img convert -O qcow2 "$disk" virtio.qcow2
}
