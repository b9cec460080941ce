/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/place.h"
#include <gio/gio.h>
#include <libintl.h>
#include <locale.h>

#define GETTEXT_DOMAIN "vitrine"

char *place_dup_build_root(void)
{
    /* BUILD/src/FOLDER/PROGRAM, BUILD/tests/FOLDER/PROGRAM */
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    if (!self)
        return NULL;
    g_autofree char *folder = g_path_get_dirname(self);
    g_autofree char *above = g_path_get_dirname(folder);
    g_autofree char *root = g_path_get_dirname(above);
    g_autofree char *mark = g_build_filename(root, "build.ninja", NULL);
    return g_file_test(mark, G_FILE_TEST_EXISTS) ? g_steal_pointer(&root) : NULL;
}

const char *place_get_datadir(void)
{
    return VITRINE_DATADIR;
}

void place_init_language(void)
{
    g_autofree char *root = place_dup_build_root();
    g_autofree char *folder = root ? g_build_filename(root, "po", NULL) : NULL;
    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_DOMAIN, folder ? folder : VITRINE_LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_DOMAIN, "UTF-8");
    textdomain(GETTEXT_DOMAIN);
}
