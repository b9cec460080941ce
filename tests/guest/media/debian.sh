# SPDX-License-Identifier: GPL-3.0-or-later
# Makes debian.qcow2, a Debian 12 with systemd on a disk with GRUB; log in as root, password "vitrine".
kernel=$(kernel_package linux-image-amd64)
packages="$kernel grub-pc-bin"
results=debian.qcow2
size_mib=1536
start_mib=1

# write_partition_table DISK: one bootable Linux partition from start_mib to the end.
write_partition_table() {
    local start=$((start_mib * 2048)) length=$(((size_mib - start_mib) * 2048)) n entry='\x80\xfe\xff\xff\x83\xfe\xff\xff'
    for n in $start $length; do
        entry+=$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24 & 255)))
    done
    printf "$entry" | dd of="$1" bs=1 seek=446 conv=notrunc status=none
    printf '\x55\xaa' | dd of="$1" bs=1 seek=510 conv=notrunc status=none
}

# GRUB for BIOS without a mount: its first sector, and the rest in the gap before the first partition, where the first sector
# looks for it. Everything it needs is in the image, so /boot/grub holds only the menu.
install_grub() {
    local disk=$1 grub
    grub=$(package_dir grub-pc-bin)/usr/lib/grub/i386-pc
    quietly grub-mkimage -d "$grub" -O i386-pc -p '(hd0,msdos1)/boot/grub' -o core.img \
        biosdisk part_msdos ext2 normal linux configfile boot echo ls cat reboot halt search test minicmd
    [ "$(stat -c %s core.img)" -lt $(((start_mib * 2048 - 1) * 512)) ] || die "GRUB does not fit before the partition"
    dd if="$grub/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
    dd if=core.img of="$disk" bs=512 seek=1 conv=notrunc status=none
}

# Runs with the new system in $1, as root or as what looks like root.
cat_hook() {
    cat <<'END'
#!/bin/sh
set -e
echo vitrine >"$1/etc/hostname"
printf '127.0.0.1 localhost vitrine\n' >"$1/etc/hosts"
echo '/dev/sda1 / ext4 defaults 0 1' >"$1/etc/fstab"
echo root:vitrine | chroot "$1" chpasswd
printf '\nDebian 12 for Vitrine \\l\n\n' >"$1/etc/issue"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer dpkg-db-backup.timer; do
    ln -sf /dev/null "$1/etc/systemd/system/$unit"
done
mkdir -p "$1/boot/grub"
cat >"$1/boot/grub/grub.cfg" <<MENU
set timeout=1
menuentry "Debian" {
    linux /vmlinuz root=/dev/sda1 ro quiet nomodeset console=ttyS0 console=tty0
    initrd /initrd.img
}
menuentry "Debian (graphics)" {
    linux /vmlinuz root=/dev/sda1 ro console=ttyS0 console=tty0
    initrd /initrd.img
}
MENU
rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/*_* "$1"/usr/share/doc/* "$1"/usr/share/locale/*
END
}

# pack_hook DISK: the file system, without what is mounted into it (/proc). A copy is made as mke2fs cannot leave things out.
pack_hook() {
    cat <<END
#!/bin/sh
set -e
export PATH=$PATH
copy=\$(mktemp -d)
trap 'rm -rf "\$copy"' EXIT
cp -ax "\$1/." "\$copy/"
mke2fs -q -t ext4 -L root -E offset=$((start_mib << 20)) -d "\$copy" "$1" $((size_mib - start_mib))M
END
}

make_it() {
    need mmdebstrap mmdebstrap mke2fs e2fsprogs qemu-img qemu-utils grub-mkimage grub-common
    local disk=$PWD/debian.raw
    truncate -s ${size_mib}M "$disk"
    chmod 666 "$disk"
    write_partition_table "$disk"
    cat_hook >hook
    pack_hook "$disk" >pack
    chmod 755 hook pack
    # The initial RAM disk gets what this board needs, or a software CPU unpacks drivers for a minute.
    printf 'MODULES=list\nCOMPRESS=lz4\nCOMPRESSLEVEL=1\n' >initramfs.conf
    printf 'ahci\nsd_mod\next4\ncrc32c_generic\n' >modules
    say "installing a Debian system (some minutes)"
    quietly mmdebstrap --variant=minbase --skip=output/dev \
        --include="systemd-sysv,udev,dbus,login,passwd,kmod,procps,e2fsprogs,lz4,initramfs-tools,$kernel" \
        --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
        --essential-hook="copy-in modules /etc/initramfs-tools" \
        --essential-hook="cp $PWD/initramfs.conf \"\$1/etc/initramfs-tools/conf.d/vitrine\"" \
        --customize-hook="$PWD/hook" \
        --customize-hook="$PWD/pack" \
        --format=null bookworm /dev/null
    install_grub "$disk"
    quietly qemu-img convert -O qcow2 "$disk" debian.qcow2
    rm "$disk"
}
