#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""Runs the stress guest (smp/) with several CPUs: LOCKed instructions, locks, IPIs, TLB shoot-downs, timers,
cross-modifying code, the order of memory accesses, the TSC, and CPUs that are started anew.

    smp-test.py MACHINE-RUNNER IMAGE [--cpus N]… [--seconds S] [--option KEY=VALUE]… [--cpu kvm]

The image runs on any monitor that boots a Linux kernel, with a serial port: -kernel IMAGE -append "cpus=8 seconds=60"."""
import argparse
import os
import re
import subprocess
import sys
import threading

# A second: 50 where spinning CPUs keep their cores until the host takes them, 100 000 where they do not.
MIN_TICKETS = 2000
MAX_UNFAIRNESS = 3
MOVE_MS = 5  # on average
PASS = 0x10 << 1 | 1
# CPUs, and what else the guest is told.
USUAL = [(2, ""), (8, ""), (16, "x2apic=1")]


def run(options, cpus, *settings):
    """What the guest said, or None when it failed."""
    settings = [f"cpus={cpus}", f"seconds={options.seconds}", *options.option, *settings]
    print(f"--- {' '.join(settings)}", flush=True)
    child = subprocess.Popen(
        [options.runner, *(["--pauses"] if options.pauses else []), f"--cpu={options.cpu}", "--memory=64",
         *(["--hyperv"] if "hyperv=1" in settings else []),
         *([f"--moves-ms={MOVE_MS}"] if options.moves else []), f"--cpus={cpus}", f"--kernel={options.image}",
         "--append=" + " ".join(settings), "--debug-exit", "--no-reboot", f"--timeout={options.seconds + 120}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    timer = threading.Timer(options.seconds + 150, child.kill)
    timer.start()
    said = []
    for line in child.stdout:
        print(line, end="", flush=True)
        said.append(line)
    timer.cancel()
    status = child.wait()
    if status != PASS:
        print(f"{cpus} CPUs: FAILED, status {status}")
        return None
    return "".join(said)


def moves(options):
    """Between KVM and the software CPU at random points, until it was often enough."""
    total = 0
    while total < options.moves:
        said = run(options, options.cpus[0])
        found = re.search(r"moves: (\d+)", said or "")
        if not found or "machine-runner: move" in said:
            return False
        total += int(found[1])
        print(f"{total} moves", flush=True)
    return True


def turns(said):
    """A second by all, the least and the most of one CPU."""
    found = re.search(r"(\d+) a second, each CPU (\d+) to (\d+)", said or "")
    return tuple(map(int, found.groups())) if found else (0, 0, 1)


def shares_cores(options):
    """With more CPUs than the host has: those that wait for a lock give way to its holder, and none starves."""
    rate, *_ = turns(run(options, 8, "mode=tickets"))
    _, least, most = turns(run(options, 16, "mode=busy"))
    if rate < MIN_TICKETS:
        print(f"a contended ticket lock changes hands {rate} times a second, {MIN_TICKETS} are wanted")
    if least * MAX_UNFAIRNESS < most:
        print(f"of 16 busy CPUs one gets {least}, another {most}")
    return rate >= MIN_TICKETS and least * MAX_UNFAIRNESS >= most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runner")
    parser.add_argument("image")
    parser.add_argument("--cpus", type=int, action="append")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--option", action="append", default=[])
    parser.add_argument("--pauses", action="store_true", help="the machine is paused and resumed all the time")
    parser.add_argument("--cpu", choices=["software", "kvm"], default="software")
    parser.add_argument("--moves", type=int, default=0, help="between the CPUs, this often at least; with --cpu kvm")
    options = parser.parse_args()
    if options.cpu == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("/dev/kvm is not there, or not for us")
        sys.exit(77)
    if options.moves:
        good = moves(options)
    elif options.cpus:
        good = all([run(options, cpus) for cpus in options.cpus])
    else:
        good = all([run(options, cpus, setting) for cpus, setting in USUAL]) and shares_cores(options)
        options.pauses = True
        good = good and run(options, 8)
    sys.exit(0 if good else 1)


main()
