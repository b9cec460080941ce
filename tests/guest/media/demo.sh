# SPDX-License-Identifier: GPL-3.0-or-later
# Makes demo.iso, a small Linux with a shell on the screen and on the serial port.
kernel=$(kernel_package linux-image-cloud-amd64)
packages="$kernel busybox-static grub-pc-bin"
results=demo.iso
sources=$here/media/parts/demo.sh

. "$sources"

make_it() {
    make_demo_disc demo.iso VITRINE_DEMO "Vitrine demo" "$kernel" busybox-static
}
