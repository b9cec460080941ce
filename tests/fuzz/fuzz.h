/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A fuzz target: one file with the two functions below, for a parser of bytes that strangers make.
 * With fuzz-main.c it is a test that changes good seeds in the same way every time; with
 * -fsanitize=fuzzer in fuzz-main.c's place it is libFuzzer's (`clang -fsanitize=fuzzer,address`).
 */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Any bytes. Aborts (g_assert, g_error) when the parser breaks its promise. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Good input, to be changed: appends GBytes to @seeds. */
void fuzz_add_seeds(GPtrArray *seeds);
