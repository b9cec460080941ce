#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""Guests that mean harm (hostile-guest.c): the monitor must not end, hang or grow, whatever they do.

hostile-test.py MACHINE-RUNNER GUEST-DIR [SCENARIO…] [--seeds N] [--first N] [--seconds S] [--cpus N] [--cpu kvm]

With --cpu kvm the firmware runs on the software CPU and the guest on KVM, until it resets the machine.
"""
import argparse
import os
import resource
import struct
import subprocess
import sys
import tempfile

SCENARIOS = ["ports", "mmio", "pci", "ahci", "fw-cfg-dma", "triple-fault", "jump-anywhere", "overlapping-rep",
             "random-code", "modify-code", "interrupt-storm", "timers", "locked-devices", "remap", "msrs", "apic", "page-tables",
             "starts", "everything"]
MANY_CPUS = {"mmio", "pci", "random-code", "interrupt-storm", "modify-code", "locked-devices",
             "remap", "apic", "starts", "everything"}
MEMORY_MIB = 32
# What the monitor may have beside the guest's memory, firmware, video memory and code caches among it.
MAX_EXTRA_MIB = 200
TIME_UP = 3
SKIP = 77


def build(source, target):
    elf = os.path.join(target, "hostile.elf")
    subprocess.run(["gcc", "-m32", "-march=i686", "-Os", "-ffreestanding", "-fno-pic", "-no-pie", "-fno-stack-protector",
                    "-fcf-protection=none", "-nostdlib", "-Wl,--build-id=none,-z,noexecstack,--no-warn-rwx-segments",
                    "-Wl,-T," + os.path.join(source, "hostile.ld"), os.path.join(source, "hostile.S"),
                    os.path.join(source, "hostile-guest.c"), "-o", elf], check=True)
    image = os.path.join(target, "hostile.bin")
    subprocess.run(["objcopy", "-O", "binary", elf, image], check=True)
    with open(image, "rb") as file:
        return bytearray(file.read())


def run(options, image, scenario, seed, cpus, folder):
    seconds = options.seconds
    disk = os.path.join(folder, "hostile.img")
    struct.pack_into("<II", image, 4, SCENARIOS.index(scenario), seed)
    with open(disk, "wb") as file:
        file.write(image.ljust(1 << 20, b"\0"))
    log = os.path.join(folder, "log")
    with open(log, "wb") as output:
        child = subprocess.Popen([options.runner, f"--memory={MEMORY_MIB}", f"--cpus={cpus}", f"--disk={disk}",
                                  f"--timeout={seconds}", f"--cpu={options.cpu}", "--hyperv",
                                  *(["--software-until=!", "--no-reboot"] if options.cpu == "kvm" else [])],
                                 stdout=output, stderr=output, stdin=subprocess.DEVNULL)
        try:
            child.wait(seconds + 30)
            hung = False
        except subprocess.TimeoutExpired:
            hung = True
            if "HOSTILE_KEEP" in os.environ:
                print(f"{scenario} seed {seed}: HANG, process {child.pid} kept")
                return False
            child.kill()
        child.wait()
        status = child.returncode
    with open(log, "rb") as file:
        said = file.read()
    booted = b"hostile " in said
    grown = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    complaints = [line for line in said.splitlines() if b"WARNING" in line or b"CRITICAL" in line]
    good = grown < MEMORY_MIB + MAX_EXTRA_MIB and not hung and status in (0, TIME_UP, 4) and booted and not complaints
    print(f"{scenario} seed {seed} cpus {cpus}: status {status}{' HANG' if hung else ''}"
          f"{'' if booted else ' NEVER BOOTED'} boots {said.count(b'hostile ')}, complaints {len(complaints)}, up to {grown} MiB", flush=True)
    if not good:
        print(said[-3000:].decode(errors="replace"))
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runner")
    parser.add_argument("source")
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--cpus", type=int, default=0)
    parser.add_argument("--cpu", default="software")
    options = parser.parse_args()
    if options.cpu == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("there is no KVM to test")
        return SKIP
    good = True
    with tempfile.TemporaryDirectory() as folder:
        image = build(options.source, folder)
        for seed in range(options.first, options.first + options.seeds):
            for scenario in options.scenario or SCENARIOS:
                cpus = options.cpus or (4 if scenario in MANY_CPUS else 1)
                good &= run(options, image, scenario, seed, cpus, folder)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
