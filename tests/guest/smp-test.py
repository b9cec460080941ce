#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""Runs the stress guest (smp/) with several CPUs: LOCKed instructions, locks, IPIs, TLB shoot-downs, timers,
cross-modifying code, the order of memory accesses, the TSC, and CPUs that are started anew.

    smp-test.py MACHINE-RUNNER IMAGE [--cpus N]… [--seconds S] [--option KEY=VALUE]… [-- RUNNER-OPTION…]

The image runs on any monitor that boots a Linux kernel, with a serial port: -kernel IMAGE -append "cpus=8 seconds=60"."""
import argparse
import subprocess
import sys

PASS = 0x10 << 1 | 1
# CPUs, and whether their local APICs are x2APICs.
USUAL = [(2, 0), (8, 0), (16, 1)]


def run(options, cpus, x2apic):
    settings = [f"cpus={cpus}", f"seconds={options.seconds}", f"x2apic={x2apic}", *options.option]
    print(f"--- {' '.join(settings)}", flush=True)
    child = subprocess.Popen(
        [options.runner, "--memory=64", f"--cpus={cpus}", f"--kernel={options.image}", "--append=" + " ".join(settings),
         "--debug-exit", "--no-reboot", f"--timeout={options.seconds + 60}", *options.rest], stdin=subprocess.DEVNULL)
    try:
        status = child.wait(options.seconds + 90)
    except subprocess.TimeoutExpired:
        child.kill()
        status = "hung"
    if status != PASS:
        print(f"{cpus} CPUs: FAILED, status {status}")
    return status == PASS


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runner")
    parser.add_argument("image")
    parser.add_argument("--cpus", type=int, action="append")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--option", action="append", default=[])
    parser.add_argument("rest", nargs="*")
    options = parser.parse_args()
    runs = [(cpus, 0) for cpus in options.cpus] if options.cpus else USUAL
    sys.exit(0 if all([run(options, cpus, x2apic) for cpus, x2apic in runs]) else 1)


main()
