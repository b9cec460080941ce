# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright the Vitrine developers
"""The interpreter and the translator agree: a kernel boots on the deterministic clock (time is instructions
retired) with everything interpreted, with everything translated and with what is hot translated. Its log,
whose time stamps count instructions by the thousand, must be the same to the byte.

    lockstep-test.py MACHINE-RUNNER"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def boot(runner, folder, translator):
    result = subprocess.run(
        [runner, "--memory", "256", "--deterministic", "--timeout", "300", "--until-serial", "MARK boot",
         "--kernel", f"{folder}/bench-vmlinuz", "--initrd", f"{folder}/bench-initrd",
         "--append", "console=ttyS0 panic=-1"],
        env={**os.environ, "VITRINE_TRANSLATOR": translator}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace", timeout=600)
    if result.returncode or "MARK boot" not in result.stdout:
        sys.exit(f"{translator}: the kernel did not come up\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}")
    return result.stdout.split("MARK boot")[0].splitlines()


def main(runner):
    with tempfile.TemporaryDirectory(prefix="vlockstep-") as folder:
        subprocess.run([f"{HERE}/make-media.sh", "bench", folder], stdin=subprocess.DEVNULL, check=True)
        expected = boot(runner, folder, "never")
        for translator in ("always", "auto"):
            log = boot(runner, folder, translator)
            for number, (one, other) in enumerate(zip(expected, log)):
                if one != other:
                    sys.exit(f"line {number}: interpreted: {one}\n{translator}: {other}")
            if len(log) != len(expected):
                sys.exit(f"{translator}: {len(log)} lines, interpreted {len(expected)}")
    print(f"{len(expected)} lines of the kernel's log agree")


main(sys.argv[1])
