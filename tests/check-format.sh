#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every C file is as .clang-format says. Exits 77 (skipped) where clang-format 14 is missing.
cd "$1" || exit 1
clang-format --version 2>/dev/null | grep -q 'version 14' || { echo "clang-format 14 is not installed"; exit 77; }
find src tests bench -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run --Werror
