# SPDX-License-Identifier: GPL-3.0-or-later
# Makes ipxe.iso, the network boot loader, as Debian ships it.
packages=ipxe
results=ipxe.iso

make_it() {
    cp "$(package_dir ipxe)/usr/lib/ipxe/ipxe.iso" ipxe.iso
}
