/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The library: a GListModel of VitrineMachine over the bundles that exist, kept up to date by
 * watching their folder and by looking again every few seconds (engines come and go without a file
 * changing where we can see). Main thread. Included by the window. */

#include "ui/machine.h"

G_BEGIN_DECLS

#define VITRINE_TYPE_LIBRARY (vitrine_library_get_type())
G_DECLARE_FINAL_TYPE(VitrineLibrary, vitrine_library, VITRINE, LIBRARY, GObject)

VitrineLibrary *vitrine_library_new(void);
/* Looks again now. Emits "refreshed" when done. */
void vitrine_library_refresh(VitrineLibrary *self);
/* From the next look on shows @bundle too, wherever it lies. */
void vitrine_library_add(VitrineLibrary *self, const char *bundle);
/* Borrowed, or NULL. */
VitrineMachine *vitrine_library_find(VitrineLibrary *self, const char *bundle);

G_END_DECLS
