/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A running machine in the window: its screen, or why there is none. The keyboard comes back to the
 * screen when a menu closes. Included by the window. */

#include "ui/machine.h"

G_BEGIN_DECLS

#define VITRINE_TYPE_MACHINE_PAGE (vitrine_machine_page_get_type())
G_DECLARE_FINAL_TYPE(VitrineMachinePage, vitrine_machine_page, VITRINE, MACHINE_PAGE, GtkWidget)

/* Properties, bound to the user's settings: "release-chord" and "host-chords", as of
 * display/screen.h.
 */
GtkWidget *vitrine_machine_page_new(void);
/* NULL: leaves the machine; it keeps running. */
void vitrine_machine_page_set_machine(VitrineMachinePage *self, VitrineMachine *machine);
VitrineMachine *vitrine_machine_page_get_machine(VitrineMachinePage *self);
/* Whether the keyboard is the guest's now; property "grabbed". */
bool vitrine_machine_page_get_grabbed(VitrineMachinePage *self);
/* Whether the pointer is the guest's too (a relative mouse, after a click). */
bool vitrine_machine_page_get_pointer_grabbed(VitrineMachinePage *self);
/* What to say beside the machine's name while "grabbed": what takes the keyboard back, and whether
 * the desktop keeps its own shortcuts. NULL: nothing. Property "hint". */
const char *vitrine_machine_page_get_hint(VitrineMachinePage *self);
/* The keys that release both, as the user has set them: "Left Ctrl + left Alt". */
char *vitrine_machine_page_dup_release_label(VitrineMachinePage *self);
/* The same without sides, "Ctrl+Alt", for a narrow header. */
char *vitrine_machine_page_dup_brief_release_label(VitrineMachinePage *self);
/* Gives the screen the keyboard. */
void vitrine_machine_page_focus_screen(VitrineMachinePage *self);

G_END_DECLS
