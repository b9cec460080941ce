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

/* Signals: "refreshed": it has looked again; "order-changed": a name or a state is another one. */
VitrineLibrary *vitrine_library_new(void);
/* Looks again now. Emits "refreshed" when done. */
void vitrine_library_refresh(VitrineLibrary *self);
/* Whether it has looked at least once: before that an empty list means nothing. */
bool vitrine_library_is_listed(VitrineLibrary *self);
/* Shows @bundle too, wherever it lies, also the next time; and no more. */
void vitrine_library_add(VitrineLibrary *self, const char *bundle);
void vitrine_library_forget(VitrineLibrary *self, const char *bundle);
/* Whether @bundle is shown because it was added. */
bool vitrine_library_is_known(VitrineLibrary *self, const char *bundle);
/* Whether somebody can see it: running machines are photographed only then. */
void vitrine_library_set_in_view(VitrineLibrary *self, bool in_view);
/* Borrowed. */
GSettings *vitrine_library_get_settings(VitrineLibrary *self);
/* Borrowed, or NULL. */
VitrineMachine *vitrine_library_find(VitrineLibrary *self, const char *bundle);

G_END_DECLS
