/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Work on a bundle that takes a while, done in a thread for the window. Included by window-manage.c
 * and window-trash.c. */

#include "ui/job-bar.h"
#include "ui/window-private.h"

typedef struct {
    char *bundle, *name; /* owned */
    char *result;        /* owned: a path, out */
    Job *job;            /* or NULL: its progress is shown and it can be cancelled */
} Work;

/* About @machine's bundle. */
Work *work_new(VitrineMachine *machine, const char *name);
/* Runs @thread, which finds @work, taken, as the task's data; then @done in the main thread. */
void window_run(VitrineWindow *self, Work *work, GTaskThreadFunc thread, GAsyncReadyCallback done);
/* For @done, of a task that returns a boolean: true when the work was done; else what failed has
 * been shown. */
bool window_finish(VitrineWindow *self, GAsyncResult *result, const char *what);
