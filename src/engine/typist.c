/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/typist.h"
#include "base/errors.h"
#include "engine/keymap-us.h"
#include <glib/gi18n.h>

#define STEP_MS 4      /* between two events: guests with slow keyboard code keep up */
#define STUCK_MS 20000 /* the guest does not read its keyboard */
#define MOTION_STEP 8  /* pixels an event: below where pointer acceleration starts */
#define MAX_TEXT_CHARACTERS 65536
#define MAX_LIVE_EVENTS 512 /* a person's keys that wait for a guest which does not read them */

typedef struct {
    TypistDone done;
    gpointer opaque;
} TypistJob;

typedef struct {
    enum { EVENT_KEY, EVENT_MOTION, EVENT_BUTTONS, EVENT_DONE } kind;
    unsigned key;
    bool down;
    int dx, dy;
    TypistJob *job; /* owned, EVENT_DONE */
} TypistEvent;

struct Typist {
    I8042 *i8042;    /* borrowed */
    GQueue events;   /* of TypistEvent, owned */
    guint timer;     /* runs while there are events */
    gint64 progress; /* monotonic time of the last event taken */
    unsigned buttons;
};

static void push(Typist *typist, TypistEvent event);

static void finish(TypistEvent *event, const GError *error)
{
    if (event->job) {
        event->job->done(event->job->opaque, error);
        g_free(event->job);
    }
    g_free(event);
}

static void abandon_all(Typist *typist, int code, const char *message)
{
    g_autoptr(GError) error = g_error_new_literal(APP_ERROR, code, message);
    /* A done callback may type again: take the queue first. */
    GQueue events = typist->events;
    g_queue_init(&typist->events);
    TypistEvent *event;
    bool lost = false; /* a job of which only releases are left has been done */
    while ((event = g_queue_pop_head(&events))) {
        lost |= event->kind != EVENT_DONE && event->down;
        finish(event, lost ? error : NULL);
    }
}

Typist *typist_new(I8042 *i8042)
{
    Typist *typist = g_new0(Typist, 1);
    typist->i8042 = i8042;
    g_queue_init(&typist->events);
    return typist;
}

void typist_free(Typist *typist)
{
    if (!typist)
        return;
    g_clear_handle_id(&typist->timer, g_source_remove);
    abandon_all(typist, APP_ERROR_WRONG_STATE, "The machine was turned off");
    g_clear_handle_id(&typist->timer, g_source_remove);
    g_free(typist);
}

/* Whether the guest took the event. */
static bool deliver(Typist *typist, const TypistEvent *event)
{
    switch (event->kind) {
    case EVENT_KEY:
        return i8042_keyboard_queued(typist->i8042) == 0 &&
               i8042_key(typist->i8042, event->key, event->down);
    case EVENT_MOTION:
        i8042_mouse(typist->i8042, event->dx, event->dy, 0, typist->buttons);
        return true;
    case EVENT_BUTTONS: typist_button(typist, event->key, event->down); return true;
    case EVENT_DONE: return i8042_keyboard_queued(typist->i8042) == 0;
    }
    g_return_val_if_reached(true);
}

static gboolean on_step(gpointer opaque)
{
    Typist *typist = opaque;
    TypistEvent *event = g_queue_peek_head(&typist->events);
    gint64 now = g_get_monotonic_time();
    if (event && deliver(typist, event)) {
        g_queue_pop_head(&typist->events);
        typist->progress = now;
        finish(event, NULL);
    } else if (event && now - typist->progress > STUCK_MS * 1000) {
        abandon_all(typist, APP_ERROR_TIMED_OUT, "The guest does not read its keyboard");
    }
    if (!g_queue_is_empty(&typist->events))
        return G_SOURCE_CONTINUE;
    typist->timer = 0;
    return G_SOURCE_REMOVE;
}

static void push(Typist *typist, TypistEvent event)
{
    g_queue_push_tail(&typist->events, g_memdup2(&event, sizeof event));
    if (typist->timer == 0) {
        typist->progress = g_get_monotonic_time();
        typist->timer = g_timeout_add(STEP_MS, on_step, typist);
    }
}

static void push_key(Typist *typist, unsigned key, bool down)
{
    push(typist, (TypistEvent){ .kind = EVENT_KEY, .key = key, .down = down });
}

static void push_done(Typist *typist, TypistDone done, gpointer opaque)
{
    TypistJob *job = g_new0(TypistJob, 1);
    *job = (TypistJob){ done, opaque };
    push(typist, (TypistEvent){ .kind = EVENT_DONE, .job = job });
}

void typist_key(Typist *typist, unsigned key, bool down)
{
    if (g_queue_is_empty(&typist->events) && i8042_key(typist->i8042, key, down))
        return;
    /* A guest that never reads must not make us grow; but a release must come through. */
    if (down && typist->events.length > MAX_LIVE_EVENTS)
        return;
    push_key(typist, key, down);
}

void typist_button(Typist *typist, unsigned button, bool down)
{
    /* org.qemu.Display1's order on the left, i8042's bits on the right. */
    static const unsigned bits[] = { 1, 4, 2, 0, 0, 8, 16 };
    if (button >= G_N_ELEMENTS(bits))
        return;
    typist->buttons = down ? typist->buttons | bits[button] : typist->buttons & ~bits[button];
    int dz = down && button == 3 ? -1 : down && button == 4 ? 1 : 0;
    if (bits[button] || dz)
        i8042_mouse(typist->i8042, 0, 0, dz, typist->buttons);
}

void typist_motion(Typist *typist, int dx, int dy)
{
    i8042_mouse(typist->i8042, dx, dy, 0, typist->buttons);
}

bool typist_type_text(Typist *typist, const char *text, TypistDone done, gpointer opaque,
                      GError **error)
{
    unsigned key;
    bool shift;
    if (strlen(text) > MAX_TEXT_CHARACTERS) {
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("At most %d characters can be typed at a time"), MAX_TEXT_CHARACTERS);
        return false;
    }
    for (const char *at = text; *at; at = g_utf8_next_char(at))
        if (!keymap_from_char(g_utf8_get_char(at), &key, &shift)) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        _("“%.*s” has no key on a US keyboard; nothing was typed"),
                        (int)(g_utf8_next_char(at) - at), at);
            return false;
        }
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        keymap_from_char(g_utf8_get_char(at), &key, &shift);
        if (shift)
            push_key(typist, KEY_SHIFT, true);
        push_key(typist, key, true);
        push_key(typist, key, false);
        if (shift)
            push_key(typist, KEY_SHIFT, false);
    }
    push_done(typist, done, opaque);
    return true;
}

static bool parse_chord(const char *chord, GArray *keys, GError **error)
{
    g_auto(GStrv) names = g_strsplit_set(chord, "+-", -1);
    if (!chord[0] || !chord[1]) { /* one key, also "+" and "-"; or none, which has no name */
        g_strfreev(names);
        names = g_new0(char *, 2);
        names[0] = g_strdup(chord);
    }
    for (unsigned i = 0; names[i]; i++) {
        unsigned key = keymap_from_name(names[i]);
        if (key == 0 && strcmp(names[i], "+") == 0)
            key = keymap_from_name("plus");
        if (key == 0) {
            g_set_error(
                error, APP_ERROR, APP_ERROR_USAGE,
                _("There is no key “%s” in “%s”. Keys are letters, digits and names such as "
                  "ctrl, alt, shift, super, enter, esc, tab, f1, up, delete; join them by +"),
                names[i], chord);
            return false;
        }
        g_array_append_val(keys, key);
    }
    return true;
}

bool typist_press_chords(Typist *typist, const char *const *chords, TypistDone done,
                         gpointer opaque, GError **error)
{
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(unsigned));
    for (unsigned i = 0; chords[i]; i++)
        if (!parse_chord(chords[i], keys, error))
            return false;
    for (unsigned i = 0; chords[i]; i++) {
        g_array_set_size(keys, 0);
        parse_chord(chords[i], keys, NULL);
        for (unsigned k = 0; k < keys->len; k++)
            push_key(typist, g_array_index(keys, unsigned, k), true);
        for (unsigned k = keys->len; k-- > 0;)
            push_key(typist, g_array_index(keys, unsigned, k), false);
    }
    push_done(typist, done, opaque);
    return true;
}

bool typist_press_keys(Typist *typist, const uint32_t *keys, size_t n_keys, TypistDone done,
                       gpointer opaque, GError **error)
{
    if (n_keys > TYPIST_MAX_KEYS) {
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID, _("At most %u keys can be sent at a time"),
                    TYPIST_MAX_KEYS);
        return false;
    }
    for (size_t i = 0; i < n_keys; i++)
        if ((keys[i] & ~TYPIST_RELEASE) == 0 || (keys[i] & ~TYPIST_RELEASE) > 0xff) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID, _("There is no key number %u"),
                        keys[i]);
            return false;
        }
    for (size_t i = 0; i < n_keys; i++)
        push_key(typist, keys[i] & 0xff, !(keys[i] & TYPIST_RELEASE));
    push_done(typist, done, opaque);
    return true;
}

static void push_motion(Typist *typist, int dx, int dy)
{
    while (dx || dy) {
        int step_x = CLAMP(dx, -MOTION_STEP, MOTION_STEP);
        int step_y = CLAMP(dy, -MOTION_STEP, MOTION_STEP);
        push(typist,
             (TypistEvent){ .kind = EVENT_MOTION, .down = true, .dx = step_x, .dy = step_y });
        dx -= step_x;
        dy -= step_y;
    }
}

void typist_click(Typist *typist, unsigned x, unsigned y, unsigned button, unsigned screen_width,
                  unsigned screen_height, TypistDone done, gpointer opaque)
{
    /* Far moves may be fast: the corner stops the pointer whatever the acceleration. */
    for (unsigned moved = 0; moved < 2 * MAX(screen_width, screen_height); moved += 100)
        push(typist, (TypistEvent){ .kind = EVENT_MOTION, .down = true, .dx = -100, .dy = -100 });
    push_motion(typist, x, y);
    push(typist, (TypistEvent){ .kind = EVENT_BUTTONS, .key = button, .down = true });
    push(typist, (TypistEvent){ .kind = EVENT_BUTTONS, .key = button, .down = false });
    push_done(typist, done, opaque);
}
