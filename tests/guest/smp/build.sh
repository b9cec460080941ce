#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Builds the stress guest: build.sh FOLDER IMAGE. It runs on no operating system, so it takes the compiler's own
# options only.
set -eu
elf=$2.elf
gcc -m64 -O2 -g -std=gnu11 -Wall -Wextra -Werror -ffreestanding -fno-pic -no-pie -fno-strict-aliasing -fno-stack-protector -fcf-protection=none \
    -fno-asynchronous-unwind-tables -mgeneral-regs-only -mno-red-zone -mcmodel=small -nostdlib \
    -Wl,--build-id=none,-z,noexecstack,--no-warn-rwx-segments,-T,"$1/smp.ld" "$1/entry.S" "$1"/*.c -o "$elf"
objcopy -O binary "$elf" "$2"
