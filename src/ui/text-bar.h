/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The bar over the screen while the words of a text screen are selected: searches them, copies what
 * is selected, and ends that. Included by the machine page. */

#include "display/screen.h"

G_BEGIN_DECLS

#define VITRINE_TYPE_TEXT_BAR (vitrine_text_bar_get_type())
G_DECLARE_FINAL_TYPE(VitrineTextBar, vitrine_text_bar, VITRINE, TEXT_BAR, GtkWidget)

/* NULL: the bar is hidden. It shows itself while @screen is "selecting". */
void vitrine_text_bar_set_screen(VitrineTextBar *self, VitrineScreen *screen);
/* The search gets the keyboard. */
void vitrine_text_bar_find(VitrineTextBar *self);

G_END_DECLS
