/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* From now on, what crashes this process leaves STOP_BUG as the machine's stop record, so that a
 * crash can be told from a kill. Once, by main(). */
void crash_mark_install(const char *bundle);
