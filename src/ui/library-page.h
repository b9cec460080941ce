/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The library in the window: a header, a search, and the machines as a grid or a list. What can be
 * done with a machine is the window's business (its "machine." actions), which asks here for the
 * selected one. Included by the window. */

#include "ui/library.h"
#include <adwaita.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_LIBRARY_PAGE (vitrine_library_page_get_type())
G_DECLARE_FINAL_TYPE(VitrineLibraryPage, vitrine_library_page, VITRINE, LIBRARY_PAGE, GtkWidget)

/* Properties, for the window's template: "primary-menu", "machine-menu" (GMenuModel: a machine's
 * context menu). Property with notify: "selected" (VitrineMachine or NULL).
 * Signals: "activated" (VitrineMachine *): by double click or Enter; "menu-opens": a machine's menu
 * is about to show, its actions had better be up to date. */

/* Shows @library, in the way that its settings say. Once. */
void vitrine_library_page_set_library(VitrineLibraryPage *self, VitrineLibrary *library);
/* Borrowed, or NULL. */
VitrineMachine *vitrine_library_page_get_selected(VitrineLibraryPage *self);
void vitrine_library_page_select(VitrineLibraryPage *self, VitrineMachine *machine);
/* Gives the machines the keyboard. */
void vitrine_library_page_focus(VitrineLibraryPage *self);
/* Opens the search, or closes it when it is open. */
void vitrine_library_page_search(VitrineLibraryPage *self, bool open);
/* Opens it with @text in it. */
void vitrine_library_page_search_for(VitrineLibraryPage *self, const char *text);
/* Discs that were used lately, offered with the menu of new machines and while there is none.
 * @paths: NULL-terminated. */
void vitrine_library_page_set_recent(VitrineLibraryPage *self, const char *const *paths);
/* With little room for the header: what is shown and how, the primary menu has then. */
void vitrine_library_page_set_narrow(VitrineLibraryPage *self, bool narrow);
/* Whether there is a demo to try. */
void vitrine_library_page_set_has_demo(VitrineLibraryPage *self, bool has_demo);

G_END_DECLS
