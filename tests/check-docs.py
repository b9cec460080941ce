#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every path that ARCHITECTURE.md, README.md and CONTRIBUTING.md name in backquotes exists."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
gone = []
for name in ("ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"):
    for path in re.findall(r"`((?:src|data|tests|docs|po|bench|\.ci)/[A-Za-z0-9_./-]*)`", (root / name).read_text()):
        if not (root / path).exists():
            gone.append(f"{name}: {path} does not exist")
print("\n".join(gone) or "every named path exists")
sys.exit(bool(gone))
