/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the files of the library page share: library-page.c has the views, their models and what
 * the header does; library-page-selection.c which machine is selected and which has the keyboard;
 * library-page-tiles.c the tiles and a machine's menu; library-page-recent.c what is offered for
 * new machines. Included by those four. */

#include "ui/library-page.h"

struct _VitrineLibraryPage {
    GtkWidget parent;
    GtkWidget *box;
    GtkMenuButton *new_button, *primary_button, *sort_button;
    GtkButton *view_button;
    GtkToggleButton *search_button;
    GtkSearchBar *search_bar;
    GtkSearchEntry *search_entry;
    GtkStack *stack;
    GtkGridView *grid;
    GtkListView *list;
    GtkWidget *demo_button, *recent_group;
    GtkListBox *recent_list;
    GMenu *recent_menu;
    GMenu *sort_menu, *narrow_menu;
    GMenuModel *primary_menu, *machine_menu; /* owned */
    VitrineLibrary *library;                 /* owned */
    GtkFilter *filter;                       /* borrowed from the models below */
    GtkSorter *sorter;
    GtkSingleSelection *selection; /* owned: library, filtered, sorted */
    GPtrArray *tiles;              /* borrowed: all there are, to find the selected one's */
    GtkWidget *popover;            /* child, or NULL: the machine's menu */
    guint heir_idle, heir;         /* who gets the keyboard from one that went; by position */
};

/* library-page-tiles.c: makes a view's tiles, or rows; adds the action "library.menu". */
GtkListItemFactory *library_page_new_factory(VitrineLibraryPage *self, bool rows);
void library_page_install_menu(GtkWidgetClass *klass);
/* The tile that shows @machine, or NULL: it is scrolled out of view, or @machine is NULL. */
GtkWidget *library_page_find_tile(VitrineLibraryPage *self, VitrineMachine *machine);
/* The machine whose item has the keyboard, or NULL. Borrowed. */
VitrineMachine *library_page_get_focused(VitrineLibraryPage *self);

/* library-page.c: the grid or the list. */
GtkWidget *library_page_view(VitrineLibraryPage *self);
/* library-page-selection.c: of the selection's model, before the views know. */
void library_page_items_changed(VitrineLibraryPage *self, guint position, guint removed,
                                guint added);
