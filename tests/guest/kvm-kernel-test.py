#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""A Debian kernel whose memory allocator does LOCK CMPXCHG16B goes on where KVM's emulator stops: with page-table
based KVMs that is "KVM internal error" to others. It starts on the software CPU (unpacking takes such a KVM minutes),
moves to KVM before the allocator is used, and must come well past it, helped or not.

    kvm-kernel-test.py MACHINE-RUNNER"""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def main(runner):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("/dev/kvm is not there, or not for us")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="vkvm-") as folder:
        subprocess.run([f"{HERE}/make-media.sh", "bench", folder], stdin=subprocess.DEVNULL, check=True)
        result = subprocess.run(
            [runner, "--cpu", "kvm", "--memory", "128", "--timeout", "280", "--software-until", "Memory: .*available",
             "--until-serial", "Trampoline variant", "--kernel", f"{folder}/bench-vmlinuz", "--initrd",
             f"{folder}/bench-initrd", "--append", "console=ttyS0 earlyprintk=ttyS0,keep panic=-1 nokaslr"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    print(result.stdout[-1500:], result.stderr)
    found = re.search(r"kvm: (\d+) exits, (\d+) assisted", result.stderr)
    if result.returncode or not found:
        sys.exit("the kernel did not come past its allocator on KVM")
    print(f"{found[1]} exits, {found[2]} instructions of the software CPU's")


main(sys.argv[1])
