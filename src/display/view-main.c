/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "base/errors.h"
#include "base/place.h"
#include "client/client.h"
#include "client/settings.h"
#include "display/view.h"
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <signal.h>

typedef struct {
    gboolean full_screen, kiosk, start, version;
    char *release_chord; /* owned, or NULL */
    char *machine;       /* owned */
} ViewOptions;

static void view_options_clear(ViewOptions *options)
{
    g_free(options->release_chord);
    g_free(options->machine);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViewOptions, view_options_clear)

static bool parse_options(int argc, char **argv, ViewOptions *out, GError **error)
{
    const GOptionEntry entries[] = {
        { "full-screen", 'f', 0, G_OPTION_ARG_NONE, &out->full_screen,
          N_("Fill the screen (Ctrl+Alt+Enter changes that at any time)"), NULL },
        { "kiosk", 'k', 0, G_OPTION_ARG_NONE, &out->kiosk,
          N_("Full screen, with no way out before the machine is off"), NULL },
        { "start", 's', 0, G_OPTION_ARG_NONE, &out->start, N_("Start the machine if it is off"),
          NULL },
        { "release-chord", 0, 0, G_OPTION_ARG_STRING, &out->release_chord,
          N_("Keys that take keyboard and pointer back"), RELEASE_CHORD_DEFAULT },
        { "version", 0, 0, G_OPTION_ARG_NONE, &out->version, N_("Print the version"), NULL },
        { NULL }
    };
    g_autoptr(GOptionContext) context = g_option_context_new(_("MACHINE"));
    g_autoptr(GError) local = NULL;
    ReleaseChord chord;
    g_option_context_set_summary(context,
                                 _("Shows a running machine's screen. MACHINE is a name, a "
                                   "unique beginning of one, a UUID or a bundle."));
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &local)) {
        g_set_error(error, APP_ERROR, APP_ERROR_USAGE, "%s", local->message);
        return false;
    }
    if (!out->version && argc != 2) {
        g_set_error(error, APP_ERROR, APP_ERROR_USAGE,
                    _("Name one machine; vitrine-view --help says more"));
        return false;
    }
    if (out->release_chord && !release_chord_parse(&chord, out->release_chord)) {
        g_set_error(error, APP_ERROR, APP_ERROR_USAGE,
                    _("“%s” is no release chord. Join left-ctrl, right-alt, left-shift, pause and "
                      "the like by +"),
                    out->release_chord);
        return false;
    }
    out->machine = g_strdup(argc == 2 ? argv[1] : NULL);
    return true;
}

/* The machine, running. */
static ClientMachine *find_machine(const ViewOptions *options, GError **error)
{
    g_autoptr(ClientMachine) machine = client_find_machine(options->machine, error);
    if (!machine)
        return NULL;
    if (machine->damage) {
        g_propagate_error(error, g_error_copy(machine->damage));
        return NULL;
    }
    if (client_state_is_live(machine->state))
        return g_steal_pointer(&machine);
    if (options->start)
        return client_start(machine->bundle, NULL, error) ? g_steal_pointer(&machine) : NULL;
    g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE,
                _("“%s” is not running. With --start it is started"), client_machine_name(machine));
    return NULL;
}

static void on_input_changed(VitrineInput *input, View *view)
{
    view_grab(view);
}

static void on_frame_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GError) error = NULL;
    if (!vitrine_frame_connect_finish(VITRINE_FRAME(source), result, &error))
        g_printerr("vitrine-view: %s\n", error->message);
}

static void on_closed(GDBusConnection *connection, gboolean remote, GError *error, View *view)
{
    g_main_loop_quit(view->loop);
}

static gboolean on_signal(gpointer opaque)
{
    g_main_loop_quit(((View *)opaque)->loop);
    return G_SOURCE_CONTINUE;
}

static void view_run(View *view, GDBusConnection *connection)
{
    g_autoptr(GSource) events = view_source_new(view);
    g_source_set_priority(events, G_PRIORITY_DEFAULT);
    g_source_attach(events, NULL);
    g_signal_connect(view->input, "changed", G_CALLBACK(on_input_changed), view);
    g_signal_connect(connection, "closed", G_CALLBACK(on_closed), view);
    guint term = g_unix_signal_add(SIGTERM, on_signal, view);
    guint interrupt = g_unix_signal_add(SIGINT, on_signal, view);
    vitrine_input_set_connection(view->input, connection);
    vitrine_frame_connect_async(view->frame, connection, NULL, on_frame_connected, NULL);
    g_main_loop_run(view->loop);
    g_source_remove(term);
    g_source_remove(interrupt);
    g_signal_handlers_disconnect_by_data(connection, view);
    g_signal_handlers_disconnect_by_data(view->input, view);
    view_release(view);
    g_dbus_connection_flush_sync(connection, NULL, NULL);
    g_source_destroy(events);
}

static bool show_machine(const ViewOptions *options, GError **error)
{
    g_autoptr(ClientMachine) machine = find_machine(options, error);
    g_autoptr(GDBusConnection) connection =
        machine ? client_connect(machine->definition->uuid, error) : NULL;
    if (!connection)
        return false;
    View view = { .loop = g_main_loop_new(NULL, FALSE),
                  .name = client_machine_name(machine),
                  .kiosk = options->kiosk,
                  .full_screen = options->full_screen || options->kiosk,
                  .frame = vitrine_frame_new(),
                  .input = vitrine_input_new() };
    g_autoptr(GSettings) settings = client_settings_new();
    g_autofree char *chord = g_settings_get_string(settings, "release-chord");
    release_chord_parse(&view.release_chord,
                        options->release_chord ? options->release_chord : chord);
    bool opened = view_open_window(&view, error);
    if (opened)
        view_run(&view, connection);
    vitrine_frame_disconnect(view.frame);
    view_close_window(&view);
    g_object_unref(view.frame);
    g_object_unref(view.input);
    g_main_loop_unref(view.loop);
    SDL_Quit();
    return opened;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_auto(ViewOptions) options = { 0 };
    place_init_language();
    SDL_SetMainReady();
    bool good = parse_options(argc, argv, &options, &error);
    if (good && options.version)
        g_print("vitrine-view %s\n", VITRINE_VERSION);
    else if (good)
        good = show_machine(&options, &error);
    if (good)
        return EXIT_OK;
    g_dbus_error_strip_remote_error(error);
    g_printerr("vitrine-view: %s\n", error->message);
    return app_error_exit_code(error);
}
