/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the files of a machine share: machine.c (what is known of it, and its thumbnail),
 * machine-connection.c (the connection to its engine), machine-verbs.c (what is asked of it).
 * Included by those. */

#include "ui/machine.h"

struct _VitrineMachine {
    GObject parent;
    char *bundle, *name, *uuid, *problem; /* owned */
    ClientState state;
    VitrineDBusMachine1 *proxy; /* owned, or NULL */
    bool connecting, starting;
    bool damaged, missing;
    bool shows_thumbnail;
    int thumbnail_scale;   /* device pixels a pixel of the tile that asked for it; 0: nobody has */
    int64_t last_used;     /* Unix time; 0: never */
    GdkTexture *thumbnail; /* owned, or NULL */
    GCancellable *cancellable;
};

/* Emits "failed", unless @error is only that somebody gave up. Takes @error. */
void machine_fail(VitrineMachine *self, const char *what, GError *error);
/* @problem: why, or NULL. */
void machine_set_state(VitrineMachine *self, ClientState state, const char *problem);

/* Begins to look for its engine, unless there is one already. */
void machine_connect(VitrineMachine *self);
/* Tells nobody. */
void machine_drop_proxy(VitrineMachine *self);
