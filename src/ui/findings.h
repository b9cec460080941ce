/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What stands in the way of a new machine, in plain words with what to do: a list that looks at
 * this computer (client/preflight.h) and is not there when there is nothing to say. Included by the
 * create page. */

#include "client/preflight.h"
#include <gtk/gtk.h>
#include <stdbool.h>
#include <stdint.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_FINDINGS (vitrine_findings_get_type())
G_DECLARE_FINAL_TYPE(VitrineFindings, vitrine_findings, VITRINE, FINDINGS, GtkWidget)

/* Signal "looked": vitrine_findings_can_work() may have another answer. */

/* Looks what a machine that is as @wants says would lack; without @now in a moment, as sizes change
 * in steps. */
void vitrine_findings_look(VitrineFindings *self, const PreflightWants *wants, bool now);
/* Shown from the next look on, above what it finds: what came of the last attempt, what is odd
 * about the medium. NULL: nothing. */
void vitrine_findings_set_problem(VitrineFindings *self, const char *problem);
void vitrine_findings_set_warning(VitrineFindings *self, const char *warning);
/* Shows @why alone, at once: there is no machine to look for. */
void vitrine_findings_refuse(VitrineFindings *self, const char *why);
/* Whether nothing was found that a machine could not start with. */
bool vitrine_findings_can_work(VitrineFindings *self);

G_END_DECLS
