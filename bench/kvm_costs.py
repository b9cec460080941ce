# SPDX-License-Identifier: GPL-3.0-or-later
"""`./run bench kvm`: what our process costs around KVM, beside QEMU's.

Nothing here is a speed of KVM itself: what is measured is the monitor's own code, its exits, its memory, its start and its rest."""

import os
import pathlib
import re
import statistics
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REASONS = {"2": "port", "6": "memory", "7": "window", "10": "signal", "26": "EOI"}  # KVM_EXIT_…
REPEATS = 1000000
REST_S = 10


def assemble(builddir, name, *defines):
    image = builddir / f"bench-kvm-{name}{''.join(defines)}.bin"
    subprocess.run(["nasm", "-f", "bin", *defines, "-o", str(image), str(HERE / "kvm" / f"{name}.asm")], check=True)
    return image


def disk(image):
    with open(image, "r+b") as file:
        file.truncate(1 << 20)
    return image


def rivals(builddir):
    """Each monitor's command line for a firmware or a disk."""
    def ours(firmware=None, image=None):
        return [str(builddir / "tests" / "guest" / "machine-runner"), "--cpu=kvm", "--memory=64", "--debug-exit", "--quiet",
                "--timeout=120", *([f"--firmware={firmware}"] if firmware else []), *([f"--disk={image}"] if image else [])]

    def theirs(firmware=None, image=None):
        return ["qemu-system-x86_64", "-M", "q35,smm=off", "-accel", "kvm,kernel-irqchip=split", "-m", "64", "-display", "none",
                "-vga", "std", "-net", "none", "-serial", "null", "-monitor", "none", "-device", "isa-debug-exit,iobase=0x501",
                *(["-bios", str(firmware)] if firmware else []),
                *(["-drive", f"file={image},format=raw"] if image else [])]

    return {"vitrine": ours, "QEMU": theirs}


def counted(builddir, command, **environment):
    """A run to its end, with what kvm/count.c says: {"exits": {reason: (count, ns)}, "first": ms, "repeated": ns, "off": ms,
    "cpu": ms}."""
    begin, before = time.monotonic_ns(), os.times()
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=200,
                          env={**os.environ, "LD_PRELOAD": str(builddir / "bench" / "kvm-count.so"), "KVM_COUNT_BEGIN": str(begin),
                               **environment}).stderr
    off, after = (time.monotonic_ns() - begin) / 1e6, os.times()
    cpu = (after.children_user + after.children_system - before.children_user - before.children_system) * 1000
    exits = {reason: (int(count), float(ns)) for reason, count, ns in re.findall(r"^exits (\d+) (\d+) p50=(\d+)", said, re.M)}
    found = {key: float((re.search(rf"^{words} ([\d.]+)", said, re.M) or [0, 0])[1])
             for key, words in (("first", "first entry"), ("repeated", "repeated"))}
    return {"exits": exits, "off": off, "cpu": cpu, **found}


def at_rest(pid, private_kib):
    """(private MiB without the guest's memory, % of a core, wake-ups a second) of a process whose guest is halted."""
    def spent():
        seconds, switches = 0, 0
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            seconds += int((task / "schedstat").read_text().split()[0]) / 1e9
            switches += int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(), re.M)[1])
        return seconds, switches

    before = spent()
    time.sleep(REST_S)
    after = spent()
    return private_kib(pid) / 1024, (after[0] - before[0]) / REST_S * 100, (after[1] - before[1]) / REST_S


def rest_of_ours(builddir, image, boot_s, private_kib):
    ctl = str(builddir / "src" / "cli" / "vitrinectl")
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "XDG_DATA_HOME": home, "XDG_RUNTIME_DIR": home, "HOME": home}
        env.pop("DISPLAY", None)
        subprocess.run([ctl, "create", str(image), "--name", "rest", "--memory", "64M", "--cpu", "kvm"], env=env, check=True,
                       capture_output=True)
        subprocess.run([ctl, "start", "rest", "--headless"], env=env, check=True, capture_output=True)
        running = next(pathlib.Path(home + "/vitrine/machines").glob("*/running")).read_text()
        time.sleep(boot_s)
        try:
            return at_rest(int(re.search(r"pid=(\d+)", running)[1]), private_kib)
        finally:
            subprocess.run([ctl, "stop", "rest", "--force"], env=env, check=True, capture_output=True)


def rest_of_theirs(command, boot_s, private_kib):
    # Its memory in a file, so that it can be told from its own.
    child = subprocess.Popen([*command, "-object", "memory-backend-memfd,id=ram,size=64M", "-machine", "memory-backend=ram"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(boot_s)
        return at_rest(child.pid, private_kib)
    finally:
        child.kill()
        child.wait()


def kvm_costs(builddir, runs, private_kib):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("\n### KVM\n\nThere is no KVM here.")
        return
    commands = rivals(builddir)
    ports, off = assemble(builddir, "exits", "-DCOUNT=20000"), assemble(builddir, "exits", "-DCOUNT=1")
    sector, rest = disk(assemble(builddir, "sector")), disk(assemble(builddir, "sector", "-DHALT"))
    got = {name: {} for name in commands}
    for _ in range(max(runs, 3)):
        for name, command in commands.items():
            loop = counted(builddir, command(firmware=ports), KVM_COUNT_REPEAT=str(REPEATS))
            start = counted(builddir, command(firmware=off))
            for key, value in (("code", loop["repeated"]), ("between", loop["exits"]["2"][1]), ("first", start["first"]),
                               ("off", start["off"]), ("cpu", start["cpu"])):
                got[name].setdefault(key, []).append(value)
    boots, rests = {}, {}
    for name, command in commands.items():
        boots[name] = counted(builddir, command(image=sector))
        boot_s = boots[name]["off"] / 1000 * 1.5 + 5
        rests[name] = (rest_of_ours(builddir, rest, boot_s, private_kib) if name == "vitrine"
                       else rest_of_theirs(command(image=rest), boot_s, private_kib))

    def row(label, values, bar):
        print(f"| {label} | " + " | ".join(values) + f" | {bar} |")

    def medians(key, form):
        return [form.format(statistics.median(got[name][key])) for name in commands]

    print("\n### KVM\n\n| what | " + " | ".join(commands) + " | bar |\n|---|---|---|---|")
    row("a port write's exit, our code alone (repeated), ns", medians("code", "{:.0f}"), 150)
    row("from a port exit to the next entry (p50), ns", medians("between", "{:.0f}"), "–")
    row("exits from power-on to a boot sector", [str(sum(count for count, _ in boots[n]["exits"].values())) for n in commands], "–")
    row("of them", ["; ".join(f"{count} {REASONS.get(reason, reason)}" for reason, (count, _) in boots[n]["exits"].items())
                    for n in commands], "–")
    row("from start to the first instruction, ms", medians("first", "{:.0f}"), "–")
    row("start, one exit and off, ms / CPU ms", [f"{a} / {b}" for a, b in zip(medians("off", "{:.0f}"), medians("cpu", "{:.0f}"))],
        "–")
    row("private memory beside the guest's, guest halted, MiB", [f"{rests[n][0]:.1f}" for n in commands], 16)
    row("guest halted, % of a core", [f"{rests[n][1]:.3f}" for n in commands], 1)
    row("guest halted, wake-ups a second", [f"{rests[n][2]:.1f}" for n in commands], "–")
