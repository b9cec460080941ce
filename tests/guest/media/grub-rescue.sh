# SPDX-License-Identifier: GPL-3.0-or-later
# Makes grub-rescue.iso, GRUB with all its commands and nothing to boot.
packages=grub-pc-bin
results=grub-rescue.iso

make_it() {
    mkdir iso
    make_iso iso grub-rescue.iso GRUB_RESCUE
}
