/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Why a machine stopped, in the user's words and language. Included by front ends. */

#include "model/stop-record.h"

/* One sentence, "The guest turned itself off."; NULL for STOP_NONE. */
char *stop_dup_words(const StopRecord *record);
/* What can be done about it, a sentence or two; NULL when nothing has to be done. @bundle: for the
 * path of the log. */
char *stop_dup_remedy(const StopRecord *record, const char *bundle);
/* Both; empty for STOP_NONE. */
char *stop_dup_explanation(const StopRecord *record, const char *bundle);
/* Whether a user who did not ask for it should be told. */
bool stop_is_trouble(StopReason reason);
