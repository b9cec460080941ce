/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A long piece of work at the lower edge of the window: what, how far, and a way out. Included by
 * whoever starts one on a GTask's thread. */

#include <gtk/gtk.h>

G_BEGIN_DECLS

typedef struct Job Job;

/* Shows a bar in @jobs, a box that is visible while it has any, for the user to follow @what. Main
 * thread, as all here but job_report(). */
Job *job_begin(GtkBox *jobs, const char *what);
/* Cancelled when the user has had enough. Borrowed. */
GCancellable *job_get_cancellable(Job *job);
/* A ClientProgress with the job as its data: from any thread, until job_end(). */
void job_report(double fraction, gpointer job);
/* The work is over: the bar goes. */
void job_end(Job *job);

G_END_DECLS
