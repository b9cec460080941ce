/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/json.h"
#include "cli/verbs.h"
#include <glib/gi18n.h>
#include <string.h>

#define TEXT_PREFIX "text:"
#define LOOK_MS 150 /* for a machine that is not running: nobody tells us when it starts */

typedef struct {
    GMainLoop *loop;
    const char *bundle;
    int wanted; /* ClientState */
    bool reached, timed_out;
} StateWait;

/* Between a machine's states there may be no engine to ask, so this looks from outside each time;
 * signals would only save a part of it. */
static gboolean on_look(gpointer opaque)
{
    StateWait *wait = opaque;
    g_autoptr(ClientMachine) machine = client_open_machine(wait->bundle);
    wait->reached = (int)machine->state == wait->wanted;
    if (wait->reached)
        g_main_loop_quit(wait->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean on_timeout(gpointer opaque)
{
    StateWait *wait = opaque;
    wait->timed_out = true;
    g_main_loop_quit(wait->loop);
    return G_SOURCE_REMOVE;
}

/* Which form "%g seconds" takes: a part of one is many. */
static unsigned long plural(double seconds)
{
    return seconds == 1 ? 1 : 2;
}

static bool wait_for_state(ClientMachine *machine, const char *name, double timeout, GError **error)
{
    StateWait wait = { .bundle = machine->bundle, .wanted = client_state_parse(name) };
    if (wait.wanted < 0)
        return usage_error(
            error,
            _("--for is “%s”; expected off, running, paused, paused-problem, failed, "
              "crashed or text:REGEX"),
            name);
    if ((int)machine->state == wait.wanted)
        return true;
    wait.loop = g_main_loop_new(NULL, FALSE);
    g_timeout_add(LOOK_MS, on_look, &wait);
    if (timeout > 0)
        g_timeout_add(timeout * 1000, on_timeout, &wait);
    g_main_loop_run(wait.loop);
    g_main_loop_unref(wait.loop);
    if (wait.reached)
        return true;
    g_autoptr(ClientMachine) now = client_open_machine(machine->bundle);
    g_set_error(error, APP_ERROR, APP_ERROR_TIMED_OUT,
                ngettext("“%s” is %s after %g second, not %s",
                         "“%s” is %s after %g seconds, not %s", plural(timeout)),
                client_machine_name(machine), client_state_words(now->state), timeout, name);
    return false;
}

static void print_state(const char *name)
{
    Json json;
    json_begin(&json);
    json_open_object(&json, NULL);
    json_string(&json, "state", name);
    json_close_object(&json);
    json_end(&json);
}

static bool wait_for_text(const char *spec, const char *regex, double timeout, bool as_json,
                          GError **error)
{
    g_autofree char *source = NULL, *match = NULL;
    g_autoptr(VitrineDBusMachine1) machine = verb_connect(spec, NULL, error);
    if (!machine)
        return false;
    if (!vitrine_dbus_machine1_call_wait_for_text_sync(machine, regex, timeout * 1000, &source,
                                                       &match, NULL, error)) {
        verb_done(false, error);
        if (error && g_error_matches(*error, APP_ERROR, APP_ERROR_TIMED_OUT)) {
            g_autofree char *late =
                g_strdup_printf(ngettext("Timed out after %g second", "Timed out after %g seconds",
                                         plural(timeout)),
                                timeout);
            g_prefix_error(error, "%s: ", late);
        }
        if (error && (*error)->domain != APP_ERROR)
            g_prefix_error(error, _("The machine ended while waiting: "));
        return false;
    }
    if (!as_json) {
        puts(match);
        return true;
    }
    Json json;
    json_begin(&json);
    json_open_object(&json, NULL);
    json_string(&json, "source", source);
    json_string(&json, "match", match);
    json_close_object(&json);
    json_end(&json);
    return true;
}

static bool do_wait(const char *spec, const char *what, double timeout, bool as_json,
                    GError **error)
{
    g_autoptr(ClientMachine) machine = verb_find(spec, error);
    if (!machine)
        return false;
    if (g_str_has_prefix(what, TEXT_PREFIX))
        return wait_for_text(spec, what + strlen(TEXT_PREFIX), timeout, as_json, error);
    if (!wait_for_state(machine, what, timeout, error))
        return false;
    if (as_json)
        print_state(what);
    return true;
}

bool verb_wait(int argc, char **argv, GError **error)
{
    g_autofree char *what = NULL;
    double timeout = 0;
    gboolean as_json = FALSE;
    const GOptionEntry entries[] = {
        { "for", 0, 0, G_OPTION_ARG_STRING, &what, NULL, NULL },
        { "timeout", 0, 0, G_OPTION_ARG_DOUBLE, &timeout, NULL, NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, NULL, NULL },
        { NULL },
    };
    if (!verb_parse(&argc, &argv, entries, 1, 1, error))
        return false;
    if (!what)
        return usage_error(error, _("--for says what to wait for"));
    if (timeout < 0 || timeout > 4e6)
        return usage_error(error, _("--timeout is a number of seconds"));
    return do_wait(argv[1], what, timeout, as_json, error);
}
