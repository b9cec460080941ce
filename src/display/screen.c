/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/presenter.h"
#include "display/screen-private.h"
#include <glib/gi18n.h>
#include <math.h>

#define SUGGEST_AFTER_MS 300

enum {
    PROP_0,
    PROP_GRABBED,
    PROP_POINTER_GRABBED,
    PROP_SHORTCUTS_INHIBITED,
    PROP_RELEASE_CHORD,
    PROP_HOST_CHORDS,
    PROP_HAS_TEXT,
    PROP_SELECTING,
    PROP_HAS_SELECTION,
    N_PROPS
};
static GParamSpec *properties[N_PROPS];

/* Full screen and the way back to the library work whatever the guest does. */
static const char *const default_host_chords[] = { "<Control><Alt>Return", "<Control><Alt>Down",
                                                   NULL };

G_DEFINE_FINAL_TYPE(VitrineScreen, vitrine_screen, GTK_TYPE_WIDGET)

/* Who has the keyboard --------------------------------------------------------------------------
 */

/* A window behind another may move its focus, too; that brings it no keys. */
static bool screen_is_in_active_window(VitrineScreen *self)
{
    return self->window && gtk_window_is_active(self->window);
}

void vitrine_screen_grab(VitrineScreen *self)
{
    if (self->grabbed || self->selecting || !vitrine_input_is_ready(self->input) ||
        !screen_is_in_active_window(self))
        return;
    self->grabbed = true;
    release_chord_clear(&self->release_chord);
    release_chord_clear(&self->usual_chord);
    if (self->toplevel)
        gdk_toplevel_inhibit_system_shortcuts(self->toplevel, NULL);
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_GRABBED]);
}

void vitrine_screen_release(VitrineScreen *self)
{
    vitrine_input_release_all(self->input);
    screen_set_pointer_grabbed(self, false);
    if (!self->grabbed)
        return;
    self->grabbed = false;
    release_chord_clear(&self->release_chord);
    release_chord_clear(&self->usual_chord);
    if (self->toplevel)
        gdk_toplevel_restore_system_shortcuts(self->toplevel);
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_GRABBED]);
}

bool vitrine_screen_get_grabbed(VitrineScreen *self)
{
    return self->grabbed;
}

bool vitrine_screen_get_pointer_grabbed(VitrineScreen *self)
{
    return self->pointer_grabbed && !vitrine_input_is_absolute(self->input);
}

bool vitrine_screen_get_shortcuts_inhibited(VitrineScreen *self)
{
    gboolean inhibited = FALSE;
    if (self->toplevel)
        g_object_get(self->toplevel, "shortcuts-inhibited", &inhibited, NULL);
    return inhibited;
}

static void on_shortcuts_inhibited(VitrineScreen *self)
{
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_SHORTCUTS_INHIBITED]);
}

static void on_window_active(VitrineScreen *self)
{
    if (!screen_is_in_active_window(self))
        vitrine_screen_release(self);
    else if (gtk_widget_has_focus(GTK_WIDGET(self)))
        vitrine_screen_grab(self);
}

static void on_input_changed(VitrineScreen *self)
{
    if (!vitrine_input_is_ready(self->input))
        vitrine_screen_release(self);
    else if (gtk_widget_has_focus(GTK_WIDGET(self)))
        vitrine_screen_grab(self);
    screen_update_cursor(self);
}

void vitrine_screen_set_connection(VitrineScreen *self, GDBusConnection *connection)
{
    vitrine_screen_release(self);
    vitrine_input_set_connection(self->input, connection);
    vitrine_text_source_set_connection(self->text, connection);
}

char *vitrine_screen_dup_release_label(VitrineScreen *self)
{
    return release_chord_dup_label(&self->release_chord);
}

static void screen_set_release_chord(VitrineScreen *self, const char *text)
{
    if (!release_chord_parse(&self->release_chord, text) && text)
        g_warning("“%s” is no release chord", text);
    g_autofree char *keys = release_chord_dup_label(&self->release_chord);
    /* Translators: %s is a key combination such as “Left Ctrl + left Alt”. */
    g_autofree char *label =
        g_strdup_printf(_("Screen of the machine. %s releases the keyboard."), keys);
    gtk_accessible_update_property(GTK_ACCESSIBLE(self), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
}

static void screen_follow_window(VitrineScreen *self, GtkRoot *root)
{
    if (self->window)
        g_signal_handlers_disconnect_by_func(self->window, on_window_active, self);
    self->window = GTK_IS_WINDOW(root) ? GTK_WINDOW(root) : NULL;
    if (self->window)
        g_signal_connect_swapped(self->window, "notify::is-active", G_CALLBACK(on_window_active),
                                 self);
}

/* The widget ------------------------------------------------------------------------------------
 */

static void screen_realize(GtkWidget *widget)
{
    VitrineScreen *self = VITRINE_SCREEN(widget);
    GTK_WIDGET_CLASS(vitrine_screen_parent_class)->realize(widget);
    GdkSurface *surface = gtk_native_get_surface(gtk_widget_get_native(widget));
    if (GDK_IS_TOPLEVEL(surface)) {
        self->toplevel = GDK_TOPLEVEL(surface);
        g_signal_connect_swapped(surface, "notify::shortcuts-inhibited",
                                 G_CALLBACK(on_shortcuts_inhibited), self);
    }
    if (self->presenter)
        return;
    self->presenter = presenter_wants_gl(surface) ? vitrine_gl_presenter_new(self->frame)
                                                  : vitrine_cairo_presenter_new(self->frame);
    gtk_widget_set_hexpand(self->presenter, TRUE);
    gtk_widget_set_vexpand(self->presenter, TRUE);
    gtk_widget_insert_after(self->presenter, widget, NULL); /* below what is drawn over it */
}

static void screen_unrealize(GtkWidget *widget)
{
    VitrineScreen *self = VITRINE_SCREEN(widget);
    if (self->input)
        vitrine_screen_release(self);
    if (self->toplevel)
        g_signal_handlers_disconnect_by_data(self->toplevel, self);
    self->toplevel = NULL;
    GTK_WIDGET_CLASS(vitrine_screen_parent_class)->unrealize(widget);
}

/* While somebody drags the window's edge the guest is left in peace. */
static gboolean on_suggest_timer(gpointer opaque)
{
    VitrineScreen *self = opaque;
    DisplayPlace place;
    self->suggest_timer = 0;
    presenter_place(GTK_WIDGET(self), &place);
    vitrine_frame_suggest_size(self->frame, (unsigned)(place.width * place.scale),
                               (unsigned)(place.height * place.scale), place.scale);
    return G_SOURCE_REMOVE;
}

static void screen_follow_size(VitrineScreen *self)
{
    int width = gtk_widget_get_width(GTK_WIDGET(self)),
        height = gtk_widget_get_height(GTK_WIDGET(self));
    if (self->width == width && self->height == height)
        return;
    self->width = width;
    self->height = height;
    g_clear_handle_id(&self->suggest_timer, g_source_remove);
    self->suggest_timer = g_timeout_add(SUGGEST_AFTER_MS, on_suggest_timer, self);
}

static void screen_snapshot(GtkWidget *widget, GtkSnapshot *snapshot)
{
    GTK_WIDGET_CLASS(vitrine_screen_parent_class)->snapshot(widget, snapshot);
    screen_snapshot_text(VITRINE_SCREEN(widget), snapshot);
    screen_follow_size(VITRINE_SCREEN(widget));
}

static void screen_root(GtkWidget *widget)
{
    GTK_WIDGET_CLASS(vitrine_screen_parent_class)->root(widget);
    screen_follow_window(VITRINE_SCREEN(widget), gtk_widget_get_root(widget));
}

static void screen_unroot(GtkWidget *widget)
{
    screen_follow_window(VITRINE_SCREEN(widget), NULL);
    GTK_WIDGET_CLASS(vitrine_screen_parent_class)->unroot(widget);
}

static void vitrine_screen_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    VitrineScreen *self = VITRINE_SCREEN(object);
    switch (id) {
    case PROP_GRABBED: g_value_set_boolean(value, self->grabbed); break;
    case PROP_POINTER_GRABBED:
        g_value_set_boolean(value, vitrine_screen_get_pointer_grabbed(self));
        break;
    case PROP_SHORTCUTS_INHIBITED:
        g_value_set_boolean(value, vitrine_screen_get_shortcuts_inhibited(self));
        break;
    case PROP_HOST_CHORDS: g_value_set_boxed(value, self->host_chords); break;
    case PROP_HAS_TEXT: g_value_set_boolean(value, vitrine_screen_get_has_text(self)); break;
    case PROP_SELECTING: g_value_set_boolean(value, self->selecting); break;
    case PROP_HAS_SELECTION:
        g_value_set_boolean(value, self->selection.end > self->selection.start);
        break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void vitrine_screen_set_property(GObject *object, guint id, const GValue *value,
                                        GParamSpec *spec)
{
    VitrineScreen *self = VITRINE_SCREEN(object);
    switch (id) {
    case PROP_RELEASE_CHORD: screen_set_release_chord(self, g_value_get_string(value)); break;
    case PROP_HOST_CHORDS: screen_set_host_chords(self, g_value_get_boxed(value)); break;
    case PROP_SELECTING: vitrine_screen_set_selecting(self, g_value_get_boolean(value)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void vitrine_screen_dispose(GObject *object)
{
    VitrineScreen *self = VITRINE_SCREEN(object);
    g_clear_handle_id(&self->suggest_timer, g_source_remove);
    screen_drop_text(self);
    g_clear_pointer(&self->presenter, gtk_widget_unparent);
    g_clear_object(&self->frame);
    if (self->input)
        g_signal_handlers_disconnect_by_data(self->input, self);
    g_clear_object(&self->input);
    G_OBJECT_CLASS(vitrine_screen_parent_class)->dispose(object);
}

static void vitrine_screen_finalize(GObject *object)
{
    VitrineScreen *self = VITRINE_SCREEN(object);
    g_strfreev(self->host_chords);
    g_array_unref(self->host_keys);
    g_free(self->needle);
    G_OBJECT_CLASS(vitrine_screen_parent_class)->finalize(object);
}

#define READ (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

static void vitrine_screen_class_init(VitrineScreenClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    object_class->dispose = vitrine_screen_dispose;
    object_class->finalize = vitrine_screen_finalize;
    object_class->get_property = vitrine_screen_get_property;
    object_class->set_property = vitrine_screen_set_property;
    widget_class->snapshot = screen_snapshot;
    widget_class->root = screen_root;
    widget_class->unroot = screen_unroot;
    widget_class->realize = screen_realize;
    widget_class->unrealize = screen_unrealize;
    properties[PROP_GRABBED] = g_param_spec_boolean("grabbed", NULL, NULL, FALSE, READ);
    properties[PROP_POINTER_GRABBED] =
        g_param_spec_boolean("pointer-grabbed", NULL, NULL, FALSE, READ);
    properties[PROP_SHORTCUTS_INHIBITED] =
        g_param_spec_boolean("shortcuts-inhibited", NULL, NULL, FALSE, READ);
    properties[PROP_RELEASE_CHORD] =
        g_param_spec_string("release-chord", NULL, NULL, RELEASE_CHORD_DEFAULT,
                            G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS);
    properties[PROP_HOST_CHORDS] = g_param_spec_boxed("host-chords", NULL, NULL, G_TYPE_STRV,
                                                      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
    properties[PROP_HAS_TEXT] = g_param_spec_boolean("has-text", NULL, NULL, FALSE, READ);
    properties[PROP_SELECTING] =
        g_param_spec_boolean("selecting", NULL, NULL, FALSE,
                             G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
    properties[PROP_HAS_SELECTION] = g_param_spec_boolean("has-selection", NULL, NULL, FALSE, READ);
    g_object_class_install_properties(object_class, N_PROPS, properties);
    gtk_widget_class_set_layout_manager_type(widget_class, GTK_TYPE_BIN_LAYOUT);
    gtk_widget_class_set_css_name(widget_class, "screen");
    gtk_widget_class_set_accessible_role(widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void vitrine_screen_init(VitrineScreen *self)
{
    self->last_x = self->last_y = NAN;
    self->host_keys = g_array_new(FALSE, FALSE, sizeof(HostChord));
    self->input = vitrine_input_new();
    g_signal_connect_swapped(self->input, "changed", G_CALLBACK(on_input_changed), self);
    screen_set_host_chords(self, default_host_chords);
    release_chord_parse(&self->usual_chord, RELEASE_CHORD_DEFAULT);
    screen_set_release_chord(self, RELEASE_CHORD_DEFAULT);
    gtk_widget_set_focusable(GTK_WIDGET(self), TRUE);
    gtk_widget_set_overflow(GTK_WIDGET(self), GTK_OVERFLOW_HIDDEN);
    screen_add_keyboard(self);
    screen_add_pointer(self);
}

GtkWidget *vitrine_screen_new(VitrineFrame *frame)
{
    VitrineScreen *self = g_object_new(VITRINE_TYPE_SCREEN, NULL);
    self->frame = g_object_ref(frame);
    screen_add_text(self);
    return GTK_WIDGET(self);
}
