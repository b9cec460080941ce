/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include <glib/gi18n.h>

/* Opens the app on the machine, where there is a display and an app. Whether that works is no
 * matter: the machine runs. */
static void show_window(const char *bundle)
{
    if (!g_getenv("WAYLAND_DISPLAY") && !g_getenv("DISPLAY"))
        return;
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *dir = self ? g_path_get_dirname(self) : g_strdup(".");
    static const char *const near[] = { "../ui/vitrine", "vitrine" }; /* build tree, installed */
    for (unsigned i = 0; i < G_N_ELEMENTS(near); i++) {
        g_autofree char *app = g_build_filename(dir, near[i], NULL);
        if (!g_file_test(app, G_FILE_TEST_IS_EXECUTABLE))
            continue;
        char *argv[] = { app, (char *)bundle, NULL };
        g_spawn_async(NULL, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                      NULL, NULL, NULL, NULL);
        return;
    }
}

bool verb_start(int argc, char **argv, GError **error)
{
    gboolean headless = FALSE, disposable = FALSE, paused = FALSE;
    const GOptionEntry entries[] = {
        { "headless", 0, 0, G_OPTION_ARG_NONE, &headless, NULL, NULL },
        { "disposable", 0, 0, G_OPTION_ARG_NONE, &disposable, NULL, NULL },
        { "paused", 0, 0, G_OPTION_ARG_NONE, &paused, NULL, NULL },
        { NULL },
    };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    g_autoptr(ClientMachine) machine = verb_find(argv[1], error);
    if (!machine)
        return false;
    if (client_state_is_live(machine->state)) {
        g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE, _("“%s” is %s already"),
                    client_machine_name(machine), client_state_words(machine->state));
        return false;
    }
    ClientStartOptions options = { .paused = paused, .disposable = disposable };
    if (!client_start(machine->bundle, &options, error))
        return false;
    if (!headless)
        show_window(machine->bundle);
    return true;
}
