/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the screen of a running machine says, kept up to date: the engine is asked when the picture
 * has changed, a few times a second at most, and not at all in graphics modes. Main thread.
 * Included by the display widget. */

#include "display/frame.h"
#include "display/text-screen.h"

G_BEGIN_DECLS

#define VITRINE_TYPE_TEXT_SOURCE (vitrine_text_source_get_type())
G_DECLARE_FINAL_TYPE(VitrineTextSource, vitrine_text_source, VITRINE, TEXT_SOURCE, GObject)

/* Signal "changed" (gboolean words): other words or no text any more, or only the cursor elsewhere.
 */
VitrineTextSource *vitrine_text_source_new(VitrineFrame *frame);
/* Whom to ask; NULL: nobody, and there is no text. */
void vitrine_text_source_set_connection(VitrineTextSource *self, GDBusConnection *connection);
/* NULL in graphics modes. Borrowed until the next "changed". */
const TextScreen *vitrine_text_source_get_screen(VitrineTextSource *self);

G_END_DECLS
