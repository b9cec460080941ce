# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The interpreter and the translator agree: a kernel boots on the deterministic clock (time is instructions
retired) with everything interpreted, with everything translated and with what is hot translated. Every ten
million instructions the whole state is compared: each register by name, floating point, MSRs and memory by their
hashes. So is the kernel's log, whose time stamps count instructions by the thousand, to the byte. Where they
part, the interval is run again in ever smaller ones. Then each moment of a
while at which a run may stop is the same. At last a difference is planted, and must be found.

    lockstep-test.py MACHINE-RUNNER"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
EVERY = 10_000_000
AT_LEAST = 100_000_000
FINEST = 10
PLANTED_FINEST = 100_000
LOOK_CLOSELY = 4_000


class Guest:
    def __init__(self, runner, folder):
        self.runner, self.folder = runner, folder
        self.plant = {}  # by translator: when its state is changed

    def boot(self, translator, start=0, every=EVERY, until=None):
        """The states by line, and the log; up to guest time @until, or the kernel's last word."""
        states = f"{self.folder}/states-{translator}"
        command = [self.runner, "--memory", "128", "--deterministic", "--timeout", "300",
                   "--kernel", f"{self.folder}/bench-vmlinuz", "--initrd", f"{self.folder}/bench-initrd",
                   "--append", "console=ttyS0 panic=-1", "--states", states,
                   "--states-from", str(start), "--states-every", str(every)]
        command += ["--max-instructions", str(until)] if until else ["--until-serial", "MARK boot"]
        command += ["--states-plant", str(self.plant[translator])] if translator in self.plant else []
        result = subprocess.run(command, env={**os.environ, "VITRINE_TRANSLATOR": translator}, timeout=600,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
        if not until and (result.returncode or "MARK boot" not in result.stdout):
            sys.exit(f"{translator}: the kernel did not come up\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}")
        with open(states) as file:
            return file.read().splitlines(), result.stdout.split("MARK boot")[0].splitlines()


def fields(line):
    return dict(word.split("=") for word in line.split())


def first_difference(one, other):
    """Index of the first state that differs, or None."""
    return next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), None)


def explain(one, other, names):
    rows = [f"  {'':10} {names[0]:>20} {names[1]:>20}"]
    b = fields(other)
    for name, value in fields(one).items():
        rows.append(f"  {name:10} {value:>20} {b[name]:>20}{'  <' if value != b[name] else ''}")
    return "\n".join(rows)


def narrow(guest, names, one, other, index, finest=FINEST):
    """The same in ever smaller intervals, as long as the difference stays."""
    every = EVERY
    while every > finest and index > 0:
        start, end = (int(fields(one[i])["time"]) for i in (index - 1, index))
        every //= 100
        finer = [guest.boot(name, start, every, end + 1_000_000)[0] for name in names]
        at = first_difference(*finer)
        if at is None:
            break
        one, other, index = finer[0], finer[1], at
    return one, other, index


def check_boot(guest):
    expected, log = guest.boot("never")
    for name in ("always", "auto"):
        states, other_log = guest.boot(name)
        index = first_difference(expected, states)
        if index is not None:
            names = ("never", name)
            one, other, index = narrow(guest, names, expected, states, index)
            sys.exit(f"the state differs, first here:\n{explain(one[index], other[index], names)}")
        for number, (a, b) in enumerate(zip(log, other_log)):
            if a != b:
                sys.exit(f"line {number}: interpreted: {a}\n{name}: {b}")
        if len(other_log) != len(log) or len(states) != len(expected):
            sys.exit(f"{name}: {len(other_log)} lines, {len(states)} states; never: {len(log)}, {len(expected)}")
    retired = int(fields(expected[-1])["retired"])
    if retired < AT_LEAST:
        sys.exit(f"{retired} instructions are too few")
    print(f"{len(expected)} states and {len(log)} lines of the kernel's log agree, over {retired} instructions")


def check_every_look(guest):
    start = 14 * EVERY
    expected, other = (guest.boot(name, start, 1, start + LOOK_CLOSELY)[0] for name in ("never", "always"))
    index = first_difference(expected, other)
    if index is not None or len(expected) != len(other):
        index = index or 0
        sys.exit(f"looked at different moments, first here:\n{explain(expected[index], other[index], ('never', 'always'))}")
    print(f"{len(expected)} moments in {LOOK_CLOSELY} instructions are the same")


def check_planted(guest):
    end, at = 10 * EVERY, 5 * EVERY
    names = ("never", "auto")
    guest.plant = {"auto": at}
    one, other = (guest.boot(name, until=end)[0] for name in names)
    index = first_difference(one, other)
    if index is None:
        sys.exit("the planted difference was not found")
    one, other, index = narrow(guest, names, one, other, index, PLANTED_FINEST)
    print(f"the planted difference was found:\n{explain(one[index], other[index], names)}")
    if int(fields(one[index])["time"]) > at + EVERY // 50 or fields(one[index])["rdx"] == fields(other[index])["rdx"]:
        sys.exit("not where it was planted")


def main(runner):
    with tempfile.TemporaryDirectory(prefix="vlockstep-") as folder:
        subprocess.run([f"{HERE}/make-media.sh", "bench", folder], stdin=subprocess.DEVNULL, check=True)
        guest = Guest(runner, folder)
        check_boot(guest)
        check_every_look(guest)
        check_planted(guest)


main(sys.argv[1])
