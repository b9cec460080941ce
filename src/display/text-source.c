/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/text-source.h"
#include "client/client.h"

#define ASK_EVERY_MS 250

struct _VitrineTextSource {
    GObject parent;
    VitrineFrame *frame;         /* owned */
    GDBusConnection *connection; /* owned, or NULL */
    GCancellable *cancellable;
    TextScreen *screen; /* owned, or NULL */
    guint timer;        /* between two questions */
    bool asking, stale; /* the picture changed since the last question */
    bool is_graphics;   /* until the picture has another shape */
};

enum { SIGNAL_CHANGED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineTextSource, vitrine_text_source, G_TYPE_OBJECT)

static void source_take_screen(VitrineTextSource *self, TextScreen *screen)
{
    bool same_words = text_screen_equal(self->screen, screen);
    bool same = same_words && (!screen || (screen->cursor_x == self->screen->cursor_x &&
                                           screen->cursor_y == self->screen->cursor_y));
    text_screen_free(self->screen);
    self->screen = screen;
    if (!same)
        g_signal_emit(self, signals[SIGNAL_CHANGED], 0, !same_words);
}

static void source_ask(VitrineTextSource *self);

static gboolean on_timer(gpointer opaque)
{
    VitrineTextSource *self = opaque;
    self->timer = 0;
    if (self->stale)
        source_ask(self);
    return G_SOURCE_REMOVE;
}

static void on_text(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    VitrineTextSource *self = opaque;
    const char *text;
    int columns, rows, x, y;
    self->asking = false;
    self->timer = g_timeout_add(ASK_EVERY_MS, on_timer, self);
    self->is_graphics = !reply;
    if (reply)
        g_variant_get(reply, "(&siiii)", &text, &columns, &rows, &x, &y);
    source_take_screen(self, reply ? text_screen_new(text, columns, rows, x, y) : NULL);
}

static void source_ask(VitrineTextSource *self)
{
    self->stale = true;
    if (self->asking || self->timer || self->is_graphics || !self->connection)
        return;
    self->asking = true;
    self->stale = false;
    g_dbus_connection_call(self->connection, NULL, CLIENT_PATH_MACHINE, "org.vitrine.Machine1",
                           "Text", NULL, G_VARIANT_TYPE("(siiii)"), G_DBUS_CALL_FLAGS_NONE, -1,
                           self->cancellable, on_text, self);
}

/* A mode switch comes with a new shape, or at least with new memory. */
static void on_resized(VitrineTextSource *self)
{
    self->is_graphics = false;
    source_ask(self);
}

static void on_damaged(VitrineFrame *frame, const VitrineRect *rect, VitrineTextSource *self)
{
    source_ask(self);
}

void vitrine_text_source_set_connection(VitrineTextSource *self, GDBusConnection *connection)
{
    g_cancellable_cancel(self->cancellable);
    g_clear_object(&self->cancellable);
    g_clear_handle_id(&self->timer, g_source_remove);
    self->asking = self->is_graphics = false;
    g_set_object(&self->connection, connection);
    self->cancellable = connection ? g_cancellable_new() : NULL;
    if (connection)
        source_ask(self);
    else
        source_take_screen(self, NULL);
}

const TextScreen *vitrine_text_source_get_screen(VitrineTextSource *self)
{
    return self->screen;
}

static void vitrine_text_source_dispose(GObject *object)
{
    VitrineTextSource *self = VITRINE_TEXT_SOURCE(object);
    if (self->frame)
        g_signal_handlers_disconnect_by_data(self->frame, self);
    g_clear_object(&self->frame);
    g_cancellable_cancel(self->cancellable);
    g_clear_object(&self->cancellable);
    g_clear_handle_id(&self->timer, g_source_remove);
    g_clear_object(&self->connection);
    g_clear_pointer(&self->screen, text_screen_free);
    G_OBJECT_CLASS(vitrine_text_source_parent_class)->dispose(object);
}

static void vitrine_text_source_class_init(VitrineTextSourceClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_text_source_dispose;
    signals[SIGNAL_CHANGED] = g_signal_new("changed", VITRINE_TYPE_TEXT_SOURCE, G_SIGNAL_RUN_LAST,
                                           0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
}

static void vitrine_text_source_init(VitrineTextSource *self)
{
}

VitrineTextSource *vitrine_text_source_new(VitrineFrame *frame)
{
    VitrineTextSource *self = g_object_new(VITRINE_TYPE_TEXT_SOURCE, NULL);
    self->frame = g_object_ref(frame);
    g_signal_connect_swapped(frame, "resized", G_CALLBACK(on_resized), self);
    g_signal_connect(frame, "damaged", G_CALLBACK(on_damaged), self);
    return self;
}
