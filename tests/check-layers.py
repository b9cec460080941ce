#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one-way rule: base <- model <- core <- usb <- engine and base <- model <- client <- {display, cli} <- ui.

Prints file and line of each include that points the wrong way, and of each that is not written from src/."""

import pathlib
import re
import sys

ALLOWED = {
    "base": {"base"},
    "model": {"base", "model"},
    "core": {"base", "model", "core"},
    "usb": {"base", "model", "core", "usb"},
    "engine": {"base", "model", "core", "usb", "engine"},
    "client": {"base", "model", "client"},
    "display": {"base", "model", "client", "display"},
    "cli": {"base", "model", "client", "cli"},
    "ui": {"base", "model", "client", "display", "ui"},
}
# Headers of libraries that only some layers may see.
FORBIDDEN = {
    "core": ("gtk/", "adwaita", "epoxy/", "SDL", "libusb", "gio/gdbus"),
    "engine": ("gtk/", "adwaita", "SDL"),
    "client": ("gtk/", "adwaita", "SDL"),
    "cli": ("gtk/", "adwaita", "SDL"),
}


def main(root):
    wrong = []
    sources = [p for p in sorted((root / "src").rglob("*")) if p.suffix in (".c", ".h")]
    for path in sources:
        layer = path.relative_to(root / "src").parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            local = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            system = re.match(r"\s*#\s*include\s+<([^>]+)>", line)
            where = f"{path.relative_to(root)}:{number}"
            if local:
                target = local.group(1).split("/")[0]
                generated = "/" not in local.group(1)
                if not generated and target not in ALLOWED[layer]:
                    wrong.append(f"{where}: {layer} may not include {local.group(1)}")
            elif system and system.group(1).startswith(FORBIDDEN.get(layer, ())):
                wrong.append(f"{where}: {layer} may not include <{system.group(1)}>")
    print("\n".join(wrong) or f"{len(sources)} files keep the layers")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
