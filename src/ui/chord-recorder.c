/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/chord-recorder.h"
#include "display/release-chord.h"
#include <glib/gi18n.h>
#include <stdbool.h>

#define X11_TO_EVDEV 8 /* X11's and Wayland's key codes are evdev's and 8 */

typedef struct {
    ChordKind kind;
    ChordRecorded recorded;
    GWeakRef opaque;
    GtkWindow *window; /* borrowed; we go with it */
    GPtrArray *names;  /* literals: all keys of the chord so far */
    unsigned n_held;
    bool spoiled; /* a key that no release chord can have */
} Recorder;

static void recorder_free(gpointer data, GObject *window)
{
    Recorder *recorder = data;
    g_weak_ref_clear(&recorder->opaque);
    g_ptr_array_unref(recorder->names);
    g_free(recorder);
}

static void recorder_finish(Recorder *recorder, const char *text)
{
    g_autoptr(GObject) opaque = g_weak_ref_get(&recorder->opaque);
    if (opaque)
        recorder->recorded(text, opaque);
    gtk_window_destroy(recorder->window);
}

static void record_release_key(Recorder *recorder, unsigned evdev)
{
    const char *name = release_chord_key_name(evdev);
    recorder->n_held++;
    recorder->spoiled |= !name;
    if (name && !g_ptr_array_find(recorder->names, name, NULL))
        g_ptr_array_add(recorder->names, (gpointer)name);
}

static gboolean on_key(GtkEventControllerKey *controller, guint keyval, guint keycode,
                       GdkModifierType state, Recorder *recorder)
{
    GdkModifierType modifiers = state & gtk_accelerator_get_default_mod_mask();
    if (keyval == GDK_KEY_Escape && !modifiers) {
        gtk_window_destroy(recorder->window);
    } else if (recorder->kind == CHORD_RELEASE) {
        record_release_key(recorder, keycode - X11_TO_EVDEV);
    } else if (gtk_accelerator_valid(keyval, modifiers) && modifiers) {
        g_autofree char *text = gtk_accelerator_name(gdk_keyval_to_lower(keyval), modifiers);
        recorder_finish(recorder, text);
    }
    return TRUE;
}

/* A release chord is complete when all keys are up. */
static void on_key_up(GtkEventControllerKey *controller, guint keyval, guint keycode,
                      GdkModifierType state, Recorder *recorder)
{
    if (recorder->kind != CHORD_RELEASE || recorder->n_held == 0 || --recorder->n_held > 0)
        return;
    g_ptr_array_add(recorder->names, NULL);
    g_autofree char *text = g_strjoinv("+", (char **)recorder->names->pdata);
    ReleaseChord chord;
    if (!recorder->spoiled && release_chord_parse(&chord, text)) {
        recorder_finish(recorder, text);
        return;
    }
    g_ptr_array_set_size(recorder->names, 0); /* once more */
    recorder->spoiled = false;
    gtk_widget_error_bell(GTK_WIDGET(recorder->window));
}

/* So that Super and the like come here. */
static void on_realize(GtkWidget *window)
{
    GdkSurface *surface = gtk_native_get_surface(GTK_NATIVE(window));
    if (GDK_IS_TOPLEVEL(surface))
        gdk_toplevel_inhibit_system_shortcuts(GDK_TOPLEVEL(surface), NULL);
}

void chord_recorder_show(GtkWindow *parent, ChordKind kind, ChordRecorded recorded, gpointer opaque)
{
    GtkWidget *window = adw_window_new(), *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0),
              *page = adw_status_page_new();
    adw_status_page_set_icon_name(ADW_STATUS_PAGE(page), "input-keyboard-symbolic");
    adw_status_page_set_title(ADW_STATUS_PAGE(page), _("Press the Keys"));
    adw_status_page_set_description(
        ADW_STATUS_PAGE(page),
        kind == CHORD_RELEASE
            ? _("Up to three of Ctrl, Alt, Shift, Super, Pause, Scroll Lock, Menu and Caps Lock, "
                "together; then let go. Esc leaves everything as it is.")
            : _("With Ctrl, Alt or Super. Esc leaves everything as it is."));
    gtk_widget_set_vexpand(page, TRUE);
    gtk_box_append(GTK_BOX(box), adw_header_bar_new());
    gtk_box_append(GTK_BOX(box), page);
    adw_window_set_content(ADW_WINDOW(window), box);
    gtk_window_set_title(GTK_WINDOW(window), _("Record Keys"));
    gtk_window_set_default_size(GTK_WINDOW(window), 400, 340);
    gtk_window_set_modal(GTK_WINDOW(window), TRUE);
    gtk_window_set_transient_for(GTK_WINDOW(window), parent);

    Recorder *recorder = g_new0(Recorder, 1);
    recorder->kind = kind;
    recorder->recorded = recorded;
    recorder->window = GTK_WINDOW(window);
    recorder->names = g_ptr_array_new();
    g_weak_ref_init(&recorder->opaque, opaque);
    g_object_weak_ref(G_OBJECT(window), recorder_free, recorder);
    GtkEventController *keys = gtk_event_controller_key_new();
    gtk_event_controller_set_propagation_phase(keys, GTK_PHASE_CAPTURE);
    g_signal_connect(keys, "key-pressed", G_CALLBACK(on_key), recorder);
    g_signal_connect(keys, "key-released", G_CALLBACK(on_key_up), recorder);
    gtk_widget_add_controller(window, keys);
    g_signal_connect(window, "realize", G_CALLBACK(on_realize), NULL);
    gtk_window_present(GTK_WINDOW(window));
}
