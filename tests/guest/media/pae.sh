# SPDX-License-Identifier: GPL-3.0-or-later
# Makes pae.iso, the demo with Debian's 32-bit kernel, which has drivers for discs and disks.
kernel=$(kernel_package linux-image-686-pae:i386)
packages="$kernel busybox-static:i386 grub-pc-bin"
results=pae.iso
sources=$here/media/parts/demo.sh

. "$sources"

make_it() {
    make_demo_disc pae.iso VITRINE_PAE "Vitrine demo, 32 bits" "$kernel" busybox-static:i386 \
        scsi_common scsi_mod libata libahci ahci cdrom sr_mod isofs \
        crct10dif_common crc-t10dif crc64 crc64-rocksoft t10-pi sd_mod
}
