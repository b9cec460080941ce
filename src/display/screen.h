/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A machine's screen as a widget: a presenter, and the keyboard, mouse and fingers of whoever sits
 * before it.
 *
 * While "grabbed", every key goes to the guest by position, but for the host's chords; the
 * compositor's own shortcuts are inhibited where it lets us. A click gives a guest with a relative
 * mouse the pointer too. The release chord always takes both back. What is held when focus goes
 * away is let go in the guest. Main thread. Included by the app's machine page. */

#include "display/frame.h"
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_SCREEN (vitrine_screen_get_type())
G_DECLARE_FINAL_TYPE(VitrineScreen, vitrine_screen, VITRINE, SCREEN, GtkWidget)

/* Properties:
 * "grabbed", "pointer-grabbed" (boolean, read only): who has the keyboard; the pointer, for a guest
 *   with a relative mouse.
 * "shortcuts-inhibited" (boolean, read only): whether the compositor leaves us its shortcuts.
 * "release-chord" (string): see release-chord.h; what it does not know becomes the default.
 * "host-chords" (strv of GTK accelerators): stay with the app while grabbed.
 * "has-text" (boolean, read only): the guest is in a text mode.
 * "selecting" (boolean): the mouse selects that text and the keyboard is the app's; Shift and a
 * drag begin it. Ends with the text. "has-selection" (boolean, read only). */
GtkWidget *vitrine_screen_new(VitrineFrame *frame);
/* Where input goes; NULL: nowhere. */
void vitrine_screen_set_connection(VitrineScreen *self, GDBusConnection *connection);
bool vitrine_screen_get_grabbed(VitrineScreen *self);
bool vitrine_screen_get_pointer_grabbed(VitrineScreen *self);
bool vitrine_screen_get_shortcuts_inhibited(VitrineScreen *self);
/* For the user: "Left Ctrl + left Alt". */
char *vitrine_screen_dup_release_label(VitrineScreen *self);
void vitrine_screen_grab(VitrineScreen *self);
void vitrine_screen_release(VitrineScreen *self);

bool vitrine_screen_get_has_text(VitrineScreen *self);
bool vitrine_screen_get_selecting(VitrineScreen *self);
void vitrine_screen_set_selecting(VitrineScreen *self, bool selecting);
/* UTF-8, or NULL when nothing is selected. */
char *vitrine_screen_dup_selection(VitrineScreen *self);
void vitrine_screen_select_all(VitrineScreen *self);
/* Marks every place of @needle, whatever its case, and selects one; empty: none. How many there
 * are, and which from 1 on is selected, until the text changes. */
unsigned vitrine_screen_find(VitrineScreen *self, const char *needle, unsigned *out_which);
unsigned vitrine_screen_find_next(VitrineScreen *self, bool backwards, unsigned *out_which);

G_END_DECLS
