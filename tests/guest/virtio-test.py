#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""A Debian kernel's drivers on our virtio devices. What the guest tries is in media/parts/virtio-init: files with their
checksums, a reset with reads under way, discard, write-through, entropy.

    virtio-test.py MACHINE-RUNNER firmware     boots from the disk itself, through SeaBIOS and GRUB
    virtio-test.py MACHINE-RUNNER intx         the kernel may use no messages: interrupts are levels
    virtio-test.py MACHINE-RUNNER pauses       the machine pauses and goes on some 50 times a second
    virtio-test.py MACHINE-RUNNER speed        reads a second and bytes a second, at virtio, at AHCI and in QEMU in turn"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DIRECT = ["--kernel", "virtio-vmlinuz", "--initrd", "virtio-initrd", "--append"]
ALL_RIGHT = [r"TRY disk vd[ab] serial VT\d+ cache write back queues 2 blocks 4096", "TRY files are right",
             "TRY reset is right", "TRY discard is right", "TRY cache is right", "TRY random is right", "TRY DONE"]


def run(runner, folder, *options, until="TRY DONE|TRY FAILED|Kernel panic"):
    result = subprocess.run([runner, "--timeout", "250", "--until-serial", until, *options], cwd=folder,
                            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    return result.returncode, result.stdout.replace("\r", ""), result.stderr


def check(outcome, wanted):
    status, text, errors = outcome
    missing = [line for line in wanted if not re.search(f"^{line}$", text, re.MULTILINE)]
    if status or missing:
        sys.exit(f"{text[-4000:]}\n{errors}\nnot seen: {missing}")
    print("\n".join(line for line in text.split("\n") if line.startswith(("TRY", "SPEED"))))


def blank(folder):
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", f"{folder}/blank.qcow2", "64M"], check=True)
    return ["--virtio-disk", "blank.qcow2", "--rng", "--cpus", "2"]


def test_firmware(runner, folder):
    check(run(runner, folder, "--virtio-disk", "virtio.qcow2", *blank(folder)),
          ALL_RIGHT + [r"TRY interrupt .*PCI-MSI.*virtio\d-req\.0"])


def test_intx(runner, folder):
    check(run(runner, folder, *blank(folder), *DIRECT, "console=ttyS0 quiet pci=nomsi try=all"),
          ALL_RIGHT + [r"TRY interrupt .*IO-APIC.*fasteoi.*virtio\d"])


def test_pauses(runner, folder):
    check(run(runner, folder, *blank(folder), "--pauses", *DIRECT, "console=ttyS0 quiet try=all"), ALL_RIGHT)


def run_qemu(folder, append):
    result = subprocess.run(
        ["qemu-system-x86_64", "-M", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "256", "-display", "none", "-serial",
         "stdio", "-monitor", "none", "-no-reboot", "-drive", "file=read.raw,if=none,id=d,format=raw,readonly=on", "-device",
         "virtio-blk-pci,disable-legacy=on,drive=d", *DIRECT, append + " panic=-1"],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    return result.returncode, result.stdout.replace("\r", ""), result.stderr


def test_speed(runner, folder):
    with open(f"{folder}/read.raw", "wb") as file:
        for _ in range(256):
            file.write(os.urandom(1 << 20))
    for _ in range(3):
        for name, option in ("vda", "--virtio-disk"), ("sda", "--disk"):
            check(run(runner, folder, option, "read.raw", "--cpus", "2", *DIRECT, f"console=ttyS0 quiet speed={name}",
                      until="SPEED DONE|Kernel panic"), ["SPEED DONE"])
        if shutil.which("qemu-system-x86_64"):
            print("QEMU, software CPU:")
            check(run_qemu(folder, "console=ttyS0 quiet speed=vda"), ["SPEED DONE"])


def main(runner, name):
    with tempfile.TemporaryDirectory(prefix="vvirtio-") as folder:
        subprocess.run([f"{HERE}/make-media.sh", "virtio", folder], stdin=subprocess.DEVNULL, check=True)
        globals()["test_" + name](os.path.abspath(runner), folder)


main(*sys.argv[1:])
