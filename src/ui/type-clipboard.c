/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/type-clipboard.h"
#include "display/type-map.h"
#include <adwaita.h>
#include <glib/gi18n.h>

#define MAX_CHARACTERS 20000 /* some minutes; beyond, there are better ways */
#define MAX_BYTES ((gsize)MAX_CHARACTERS * 4)
#define KEYS_AT_A_TIME 48      /* what is still typed after Cancel */
#define KEYS_A_SECOND 250      /* the engine's pace */
#define MAX_NAMED_CHARACTERS 8 /* of those that have no key */

struct _VitrineTypeClipboard {
    AdwWindow parent;
    AdwComboRow *layout_row;
    GtkLabel *summary, *warning;
    GtkProgressBar *progress;
    GtkButton *type_button;
    VitrineDBusMachine1 *proxy; /* owned */
    GCancellable *cancellable;
    GByteArray *bytes; /* as they come from the clipboard */
    char *text;        /* owned; NULL until read, or when it cannot be typed */
    /* what @text is on the chosen layout */
    GArray *keys;  /* of uint32_t */
    GArray *stops; /* of guint: after these many keys nothing is held */
    guint n_sent, next_stop;
    bool typing;
};

#define VITRINE_TYPE_TYPE_CLIPBOARD (vitrine_type_clipboard_get_type())
G_DECLARE_FINAL_TYPE(VitrineTypeClipboard, vitrine_type_clipboard, VITRINE, TYPE_CLIPBOARD,
                     AdwWindow)
G_DEFINE_FINAL_TYPE(VitrineTypeClipboard, vitrine_type_clipboard, ADW_TYPE_WINDOW)

static guint last_layout; /* what the user chose is right the next time, too */

static void clipboard_warn(VitrineTypeClipboard *self, const char *text)
{
    gtk_label_set_text(self->warning, text ? text : "");
    gtk_widget_set_visible(GTK_WIDGET(self->warning), text != NULL);
}

/* From text to keys -----------------------------------------------------------------------------
 */

static void clipboard_warn_of_missing(VitrineTypeClipboard *self, GString *missing, guint n)
{
    if (n == 0) {
        clipboard_warn(self, NULL);
        return;
    }
    if (n > MAX_NAMED_CHARACTERS)
        g_string_append(missing, " …");
    g_autofree char *text =
        g_strdup_printf(ngettext("%u character has no key on this layout and is left out:%s",
                                 "%u characters have no key on this layout and are left out:%s", n),
                        n, missing->str);
    clipboard_warn(self, text);
}

static void clipboard_summarize(VitrineTypeClipboard *self)
{
    guint seconds = (self->keys->len + KEYS_A_SECOND - 1) / KEYS_A_SECOND;
    glong n = g_utf8_strlen(self->text, -1);
    g_autofree char *characters =
        g_strdup_printf(ngettext("The clipboard holds %ld character.",
                                 "The clipboard holds %ld characters.", (gulong)n),
                        n);
    g_autofree char *time =
        seconds < 90
            ? g_strdup_printf(ngettext("Typing it takes about %u second.",
                                       "Typing it takes about %u seconds.", seconds),
                              seconds)
            : g_strdup_printf(ngettext("Typing it takes about %u minute.",
                                       "Typing it takes about %u minutes.", (seconds + 30) / 60),
                              (seconds + 30) / 60);
    g_autofree char *both = g_strdup_printf("%s %s", characters, time);
    gtk_label_set_text(self->summary, both);
}

static void clipboard_make_keys(VitrineTypeClipboard *self)
{
    guint selected = adw_combo_row_get_selected(self->layout_row), n_missing = 0;
    g_autoptr(GError) error = NULL;
    g_autoptr(TypeMap) map = type_map_new(&type_layouts[selected], &error);
    g_autoptr(GString) missing = g_string_new(NULL);
    g_array_set_size(self->keys, 0);
    g_array_set_size(self->stops, 0);
    gtk_widget_set_sensitive(GTK_WIDGET(self->type_button), FALSE);
    if (!map) {
        clipboard_warn(self, error->message);
        return;
    }
    for (const char *at = self->text; *at; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);
        if (type_map_append(map, character, self->keys)) {
            g_array_append_val(self->stops, self->keys->len);
        } else if (n_missing++ < MAX_NAMED_CHARACTERS) {
            g_string_append_c(missing, ' ');
            if (g_unichar_isgraph(character))
                g_string_append_unichar(missing, character);
            else
                g_string_append_printf(missing, "U+%04X", character);
        }
    }
    clipboard_warn_of_missing(self, missing, n_missing);
    clipboard_summarize(self);
    gtk_widget_set_sensitive(GTK_WIDGET(self->type_button), self->keys->len > 0);
}

static void on_layout_selected(GObject *row, GParamSpec *spec, VitrineTypeClipboard *self)
{
    if (!self->text)
        return;
    last_layout = adw_combo_row_get_selected(self->layout_row);
    clipboard_make_keys(self);
}

/* Typing ----------------------------------------------------------------------------------------
 */

static void clipboard_send(VitrineTypeClipboard *self);

static void on_sent(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineTypeClipboard) self = opaque;
    g_autoptr(GError) error = NULL;
    bool good =
        vitrine_dbus_machine1_call_type_keys_finish(VITRINE_DBUS_MACHINE1(source), result, &error);
    if (g_cancellable_is_cancelled(self->cancellable))
        return;
    if (!good) {
        g_dbus_error_strip_remote_error(error);
        clipboard_warn(self, error->message);
        self->typing = false;
        return;
    }
    gtk_progress_bar_set_fraction(self->progress, (double)self->n_sent / self->keys->len);
    if (self->n_sent < self->keys->len)
        clipboard_send(self);
    else
        gtk_window_close(GTK_WINDOW(self));
}

/* The next few keys, up to where nothing is held. */
static void clipboard_send(VitrineTypeClipboard *self)
{
    guint first = self->n_sent;
    while (self->next_stop < self->stops->len && self->n_sent - first < KEYS_AT_A_TIME)
        self->n_sent = g_array_index(self->stops, guint, self->next_stop++);
    GVariant *keys = g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32,
                                               &g_array_index(self->keys, uint32_t, first),
                                               self->n_sent - first, sizeof(uint32_t));
    vitrine_dbus_machine1_call_type_keys(self->proxy, keys, self->cancellable, on_sent,
                                         g_object_ref(self));
}

static void on_type_clicked(GtkButton *button, VitrineTypeClipboard *self)
{
    if (self->typing || self->keys->len == 0)
        return;
    self->typing = true;
    gtk_widget_set_sensitive(GTK_WIDGET(self->type_button), FALSE);
    gtk_widget_set_sensitive(GTK_WIDGET(self->layout_row), FALSE);
    gtk_widget_set_visible(GTK_WIDGET(self->progress), TRUE);
    clipboard_warn(self, NULL);
    clipboard_send(self);
}

/* The clipboard ---------------------------------------------------------------------------------
 */

/* What Windows ends lines with, and what people paste without knowing. */
static char *plain_text(const char *text)
{
    GString *plain = g_string_new(NULL);
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);
        if (character == '\r' && at[1] == '\n')
            continue;
        g_string_append_unichar(plain, character == '\r'   ? '\n'
                                       : character == 0xa0 ? ' '
                                                           : character);
    }
    return g_string_free(plain, FALSE);
}

static void clipboard_take_text(VitrineTypeClipboard *self)
{
    g_byte_array_append(self->bytes, (const guint8 *)"", 1);
    g_autofree char *valid = g_utf8_make_valid((const char *)self->bytes->data, -1);
    g_autofree char *text = plain_text(valid);
    if (!text[0]) {
        gtk_label_set_text(self->summary, _("The clipboard holds no text."));
    } else if (self->bytes->len > MAX_BYTES || g_utf8_strlen(text, -1) > MAX_CHARACTERS) {
        g_autofree char *words = g_strdup_printf(
            _("The clipboard holds more than %d characters, which is too much to type. Put it on a "
              "disc: drop the file on the machine."),
            MAX_CHARACTERS);
        gtk_label_set_text(self->summary, words);
    } else {
        self->text = g_steal_pointer(&text);
        clipboard_make_keys(self);
        gtk_widget_grab_focus(GTK_WIDGET(self->type_button));
    }
}

static void on_bytes(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineTypeClipboard) self = opaque;
    GInputStream *stream = G_INPUT_STREAM(source);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = g_input_stream_read_bytes_finish(stream, result, &error);
    if (g_cancellable_is_cancelled(self->cancellable))
        return;
    if (!bytes) {
        gtk_label_set_text(self->summary, error->message);
        return;
    }
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    g_byte_array_append(self->bytes, data, (guint)size);
    /* However much there is, no more than can be typed is read. */
    if (size == 0 || self->bytes->len > MAX_BYTES)
        clipboard_take_text(self);
    else
        g_input_stream_read_bytes_async(stream, MAX_BYTES + 1 - self->bytes->len,
                                        G_PRIORITY_DEFAULT, self->cancellable, on_bytes,
                                        g_object_ref(self));
}

static void on_stream(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineTypeClipboard) self = opaque;
    g_autoptr(GError) error = NULL;
    g_autoptr(GInputStream) stream =
        gdk_clipboard_read_finish(GDK_CLIPBOARD(source), result, NULL, &error);
    if (g_cancellable_is_cancelled(self->cancellable))
        return;
    if (!stream)
        gtk_label_set_text(self->summary, _("The clipboard holds no text."));
    else
        g_input_stream_read_bytes_async(stream, MAX_BYTES + 1, G_PRIORITY_DEFAULT,
                                        self->cancellable, on_bytes, g_object_ref(self));
}

static void clipboard_read(VitrineTypeClipboard *self)
{
    static const char *const types[] = { "text/plain;charset=utf-8", "text/plain", NULL };
    gtk_label_set_text(self->summary, _("Reading the clipboard…"));
    gdk_clipboard_read_async(gtk_widget_get_clipboard(GTK_WIDGET(self)), (const char **)types,
                             G_PRIORITY_DEFAULT, self->cancellable, on_stream, g_object_ref(self));
}

/* The dialog ------------------------------------------------------------------------------------
 */

static gboolean clipboard_close_request(GtkWindow *window)
{
    g_cancellable_cancel(VITRINE_TYPE_CLIPBOARD(window)->cancellable);
    return GTK_WINDOW_CLASS(vitrine_type_clipboard_parent_class)->close_request(window);
}

static void vitrine_type_clipboard_dispose(GObject *object)
{
    VitrineTypeClipboard *self = VITRINE_TYPE_CLIPBOARD(object);
    g_cancellable_cancel(self->cancellable);
    g_clear_object(&self->proxy);
    G_OBJECT_CLASS(vitrine_type_clipboard_parent_class)->dispose(object);
}

static void vitrine_type_clipboard_finalize(GObject *object)
{
    VitrineTypeClipboard *self = VITRINE_TYPE_CLIPBOARD(object);
    g_object_unref(self->cancellable);
    g_byte_array_unref(self->bytes);
    g_array_unref(self->keys);
    g_array_unref(self->stops);
    g_free(self->text);
    G_OBJECT_CLASS(vitrine_type_clipboard_parent_class)->finalize(object);
}

static void vitrine_type_clipboard_class_init(VitrineTypeClipboardClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_type_clipboard_dispose;
    G_OBJECT_CLASS(klass)->finalize = vitrine_type_clipboard_finalize;
    GTK_WINDOW_CLASS(klass)->close_request = clipboard_close_request;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/type-clipboard.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget_class, VitrineTypeClipboard, name)
    CHILD(layout_row);
    CHILD(summary);
    CHILD(warning);
    CHILD(progress);
    CHILD(type_button);
#undef CHILD
    gtk_widget_class_bind_template_callback(widget_class, on_type_clicked);
    gtk_widget_class_bind_template_callback(widget_class, on_layout_selected);
    gtk_widget_class_add_binding_action(widget_class, GDK_KEY_Escape, 0, "window.close", NULL);
}

static void clipboard_fill_layouts(VitrineTypeClipboard *self)
{
    g_autoptr(GtkStringList) names = gtk_string_list_new(NULL);
    for (const TypeLayout *layout = type_layouts; layout->name; layout++)
        gtk_string_list_append(names, _(layout->name));
    adw_combo_row_set_model(self->layout_row, G_LIST_MODEL(names));
    adw_combo_row_set_selected(self->layout_row, last_layout);
}

static void vitrine_type_clipboard_init(VitrineTypeClipboard *self)
{
    self->cancellable = g_cancellable_new();
    self->bytes = g_byte_array_new();
    self->keys = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    self->stops = g_array_new(FALSE, FALSE, sizeof(guint));
    gtk_widget_init_template(GTK_WIDGET(self));
    clipboard_fill_layouts(self);
    gtk_widget_set_sensitive(GTK_WIDGET(self->type_button), FALSE);
    gtk_window_set_default_widget(GTK_WINDOW(self), GTK_WIDGET(self->type_button));
}

void type_clipboard_show(GtkWindow *parent, VitrineMachine *machine)
{
    VitrineDBusMachine1 *proxy = vitrine_machine_get_proxy(machine);
    if (!proxy)
        return;
    VitrineTypeClipboard *self =
        g_object_new(VITRINE_TYPE_TYPE_CLIPBOARD, "transient-for", parent, NULL);
    self->proxy = g_object_ref(proxy);
    gtk_window_present(GTK_WINDOW(self));
    clipboard_read(self);
}
