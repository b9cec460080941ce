/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A machine's screen as a widget: a presenter, and the keyboard and mouse of whoever sits before
 * it.
 *
 * While "grabbed", every key goes to the guest by position, the compositor's shortcuts are
 * inhibited where it lets us; a click gives a guest with a relative mouse the pointer too. Left
 * Ctrl + left Alt, pressed together and let go without another key, always releases both. Keys held
 * when focus goes away are released in the guest. Main thread. Included by the app's machine page.
 */

#include "display/frame.h"
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_SCREEN (vitrine_screen_get_type())
G_DECLARE_FINAL_TYPE(VitrineScreen, vitrine_screen, VITRINE, SCREEN, GtkWidget)

/* Properties: "grabbed" (boolean, read only). */
GtkWidget *vitrine_screen_new(VitrineFrame *frame);
/* Where input goes; NULL: nowhere. */
void vitrine_screen_set_connection(VitrineScreen *self, GDBusConnection *connection);
bool vitrine_screen_get_grabbed(VitrineScreen *self);
/* Whether a relative mouse has taken the pointer. */
bool vitrine_screen_get_pointer_grabbed(VitrineScreen *self);
void vitrine_screen_grab(VitrineScreen *self);
void vitrine_screen_release(VitrineScreen *self);

G_END_DECLS
