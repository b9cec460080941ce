/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/text-watch.h"
#include "base/errors.h"
#include <glib/gi18n.h>
#include <string.h>

#define LOOK_MS 60

typedef struct {
    GRegex *regex;
    char *pattern;
    gint64 deadline; /* monotonic µs, 0: none */
    bool fresh;      /* has not seen the present text yet */
    TextWatchDone done;
    gpointer opaque;
} Wait;

struct TextWatch {
    Vga *vga;          /* borrowed */
    SerialLog *serial; /* borrowed */
    GPtrArray *waits;  /* owned Wait */
    guint timer;
    uint64_t serial_seen;
    char *screen_seen;
};

static void wait_free(gpointer data)
{
    Wait *wait = data;
    g_regex_unref(wait->regex);
    g_free(wait->pattern);
    g_free(wait);
}

TextWatch *text_watch_new(Vga *vga, SerialLog *serial)
{
    TextWatch *watch = g_new0(TextWatch, 1);
    watch->vga = vga;
    watch->serial = serial;
    watch->waits = g_ptr_array_new_with_free_func(wait_free);
    return watch;
}

static void wait_end(TextWatch *watch, unsigned index, const char *source, const char *match,
                     const GError *error)
{
    Wait *wait = g_ptr_array_steal_index(watch->waits, index);
    wait->done(wait->opaque, source, match, error);
    wait_free(wait);
}

void text_watch_free(TextWatch *watch)
{
    if (!watch)
        return;
    g_autoptr(GError) off =
        g_error_new(APP_ERROR, APP_ERROR_WRONG_STATE, _("The machine was turned off"));
    while (watch->waits->len > 0)
        wait_end(watch, 0, NULL, NULL, off);
    g_ptr_array_unref(watch->waits);
    g_clear_handle_id(&watch->timer, g_source_remove);
    g_free(watch->screen_seen);
    g_free(watch);
}

static char *match_in(const Wait *wait, const char *text)
{
    g_autoptr(GMatchInfo) info = NULL;
    if (!text || !g_regex_match(wait->regex, text, 0, &info))
        return NULL;
    return g_match_info_fetch(info, 0);
}

static gboolean on_look(gpointer opaque)
{
    TextWatch *watch = opaque;
    g_autofree char *screen = watch->vga ? vga_dup_text(watch->vga, NULL, NULL, NULL, NULL) : NULL;
    bool screen_new = g_strcmp0(screen, watch->screen_seen) != 0;
    bool serial_new = watch->serial && serial_log_total(watch->serial) != watch->serial_seen;
    g_autofree char *serial = NULL;
    gint64 now = g_get_monotonic_time();

    for (unsigned i = watch->waits->len; i-- > 0;) {
        Wait *wait = watch->waits->pdata[i];
        g_autofree char *match = NULL;
        const char *source = "serial";
        if ((serial_new || wait->fresh) && watch->serial) {
            if (!serial)
                serial = serial_log_dup_text(watch->serial, &watch->serial_seen);
            match = match_in(wait, serial);
        }
        if (!match && (screen_new || wait->fresh)) {
            source = "screen";
            match = match_in(wait, screen);
        }
        wait->fresh = false;
        if (match) {
            wait_end(watch, i, source, match, NULL);
        } else if (wait->deadline && now >= wait->deadline) {
            g_autoptr(GError) late = g_error_new(
                APP_ERROR, APP_ERROR_TIMED_OUT,
                screen ? _("“%s” did not appear on the serial console or the text screen")
                       : _("“%s” did not appear on the serial console; the screen is "
                           "in a graphics mode"),
                wait->pattern);
            wait_end(watch, i, NULL, NULL, late);
        }
    }
    g_free(watch->screen_seen);
    watch->screen_seen = g_steal_pointer(&screen);
    if (watch->waits->len > 0)
        return G_SOURCE_CONTINUE;
    watch->timer = 0;
    return G_SOURCE_REMOVE;
}

bool text_watch_add(TextWatch *watch, const char *pattern, unsigned timeout_ms, TextWatchDone done,
                    gpointer opaque, GError **error)
{
    g_autoptr(GError) local = NULL;
    GRegex *regex = g_regex_new(pattern, G_REGEX_MULTILINE | G_REGEX_OPTIMIZE, 0, &local);
    if (!regex) {
        g_set_error_literal(error, APP_ERROR, APP_ERROR_USAGE, local->message);
        return false;
    }
    Wait *wait = g_new0(Wait, 1);
    *wait = (Wait){ .regex = regex,
                    .pattern = g_strdup(pattern),
                    .deadline = timeout_ms ? g_get_monotonic_time() + (gint64)timeout_ms * 1000 : 0,
                    .fresh = true,
                    .done = done,
                    .opaque = opaque };
    g_ptr_array_add(watch->waits, wait);
    if (watch->timer == 0)
        watch->timer = g_timeout_add(LOOK_MS, on_look, watch);
    return true;
}

void text_watch_forget(TextWatch *watch, gpointer opaque)
{
    for (unsigned i = watch->waits->len; i-- > 0;)
        if (((Wait *)watch->waits->pdata[i])->opaque == opaque)
            g_ptr_array_remove_index(watch->waits, i);
}
