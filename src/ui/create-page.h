/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The one page between a dropped disc and a running machine: name, memory, processors, disk, with
 * defaults from the host and from what libosinfo says the disc is. Shown as a window over the
 * app's. */

#include <adwaita.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_CREATE_PAGE (vitrine_create_page_get_type())
G_DECLARE_FINAL_TYPE(VitrineCreatePage, vitrine_create_page, VITRINE, CREATE_PAGE, AdwWindow)

/* Signals: "created" (char *bundle, gboolean start). */
/* @source: an ISO or disk image, or NULL: a machine with an empty disk. @root: the folder that the
 * machine is made in. */
GtkWidget *vitrine_create_page_new(GtkWindow *parent, const char *source, const char *root);
/* Borrowed, or NULL. */
const char *vitrine_create_page_get_source(VitrineCreatePage *self);

G_END_DECLS
