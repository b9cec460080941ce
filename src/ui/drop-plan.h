/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a drop of files would do, said while they are still in the air and done when they land.
 * Looks into the files, so it is made on a thread; knows nothing of widgets. Included by the window
 * and by tests. */

#include "client/settings.h"
#include <glib.h>
#include <stdbool.h>

typedef enum {
    DROP_NOTHING, /* nothing that could be used: "words" say why */
    DROP_CREATE,  /* a new machine of the one path, or the page that says what is wrong with it */
    DROP_INSERT,  /* the one path, a disc, into the running machine */
    DROP_ASK,     /* the same disc: insert it or begin a new machine? */
    DROP_FILES,   /* all paths on a disc for the running machine */
    DROP_OPEN     /* all paths are machines */
} DropKind;

typedef struct {
    DropKind kind;
    GPtrArray *paths; /* owned, of char *: those that count */
    char *words;      /* owned: for the user, a sentence without a full stop */
} DropPlan;

/* @paths: what is dropped. @running: the name of the running machine that it is dropped on, or
 * NULL. Blocks as long as its files take to open. */
DropPlan *drop_plan_new(GPtrArray *paths, const char *running, DiscOnRunning policy);
void drop_plan_free(DropPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DropPlan, drop_plan_free)
