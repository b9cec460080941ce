/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Machines in the desktop's search: org.gnome.Shell.SearchProvider2 at SEARCH_PROVIDER_PATH. A
 * result's identifier is its bundle's path. Included by the application. */

#include "ui/library.h"

G_BEGIN_DECLS

#define SEARCH_PROVIDER_PATH "/org/vitrine/Vitrine/SearchProvider"

typedef struct SearchProvider SearchProvider;

/* What is chosen becomes the application's actions show-machine(s) and search(s). Both outlive the
 * provider; *@library may be set later, before the first question. */
SearchProvider *search_provider_new(GApplication *app, VitrineLibrary **library);
void search_provider_free(SearchProvider *self);
bool search_provider_export(SearchProvider *self, GDBusConnection *connection, GError **error);
void search_provider_unexport(SearchProvider *self);

G_END_DECLS
