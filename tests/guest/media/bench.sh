# SPDX-License-Identifier: GPL-3.0-or-later
# Makes bench.iso (and bench-vmlinuz, bench-initrd), a Linux that works through the rows of ./run bench with markers on the serial port.
kernel=$(kernel_package linux-image-cloud-amd64)
packages="$kernel busybox-static grub-pc-bin"
results="bench.iso bench-vmlinuz bench-initrd"

make_it() {
    need cpio cpio
    local kernel_dir
    kernel_dir=$(package_dir "$kernel")
    make_root root "$(package_dir busybox-static)"
    rm root/init
    cat >root/init <<'END'
#!/bin/sh
export PATH=/bin
mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
set -e
mount -t proc proc /proc
mount -t tmpfs tmp /tmp
mark() { echo "MARK $1"; }
mark boot
i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done
mark shell-loop
dd if=/dev/zero of=/tmp/zero bs=1M count=16 2>/dev/null
sha256sum /tmp/zero >/dev/null
mark sha256sum
cat /bin/busybox /bin/busybox >/tmp/text
gzip -c /tmp/text >/tmp/text.gz; gzip -dc /tmp/text.gz >/dev/null
mark gzip
i=0; while [ $i -lt 600 ]; do /bin/true; i=$((i + 1)); done
mark fork-exec
dd if=/dev/zero of=/dev/null bs=1 count=200000 2>/dev/null
mark dd-bs1
awk 'BEGIN { for (i = 1; i < 100000; i++) x += i * 1.5 / (i + 0.5); print x }' >/dev/null
mark awk-float
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do dd if=/tmp/zero of=/tmp/copy bs=1M 2>/dev/null; done
mark memory-copy
poweroff -f
END
    chmod +x root/init
    pack_root root bench-initrd
    cp "$(kernel_of "$kernel_dir")" bench-vmlinuz
    mkdir -p iso/boot/grub
    cp bench-initrd bench-vmlinuz iso/boot/
    cat >iso/boot/grub/grub.cfg <<'END'
terminal_output console
linux /boot/bench-vmlinuz quiet console=ttyS0 panic=-1
initrd /boot/bench-initrd
boot
END
    make_iso iso bench.iso VITRINE_BENCH
}
