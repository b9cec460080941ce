/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Where the files beside a program are: in the build tree that it runs from, or installed. Included
 * by all programs. */

/* The root of the build tree that this program runs from; NULL when it is installed. */
char *place_dup_build_root(void);
/* Installed data, "/usr/share". */
const char *place_get_datadir(void);
/* Makes _() speak the user's language: sets the locale and finds the translations. First thing in
 * main(). */
void place_init_language(void);
