/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Keys: to the guest by position while grabbed, but for the chords that the host keeps. */

#include "display/screen-private.h"

#define XKB_EVDEV_OFFSET 8

void screen_set_host_chords(VitrineScreen *self, const char *const *accelerators)
{
    g_strfreev(self->host_chords);
    self->host_chords = g_strdupv((char **)accelerators);
    g_array_set_size(self->host_keys, 0);
    for (size_t i = 0; accelerators && accelerators[i]; i++) {
        HostChord chord;
        if (gtk_accelerator_parse(accelerators[i], &chord.keyval, &chord.modifiers))
            g_array_append_val(self->host_keys, chord);
        else
            g_warning("“%s” is no chord", accelerators[i]);
    }
}

static bool screen_is_host_chord(VitrineScreen *self, GdkEvent *event)
{
    for (guint i = 0; event && i < self->host_keys->len; i++) {
        const HostChord *chord = &g_array_index(self->host_keys, HostChord, i);
        if (gdk_key_event_matches(event, chord->keyval, chord->modifiers) == GDK_KEY_MATCH_EXACT)
            return true;
    }
    return false;
}

static bool screen_completes_chord(VitrineScreen *self, unsigned evdev, bool down)
{
    bool usual = release_chord_key(&self->usual_chord, evdev, down);
    return release_chord_key(&self->release_chord, evdev, down) || usual;
}

static gboolean on_key_pressed(GtkEventControllerKey *controller, guint keyval, guint keycode,
                               GdkModifierType modifiers, VitrineScreen *self)
{
    unsigned evdev = keycode - XKB_EVDEV_OFFSET;
    GdkEvent *event = gtk_event_controller_get_current_event(GTK_EVENT_CONTROLLER(controller));
    if (!self->grabbed)
        return GDK_EVENT_PROPAGATE;
    screen_completes_chord(self, evdev, true);
    if (screen_is_host_chord(self, event)) {
        /* Its modifiers went to the guest before we could know. */
        vitrine_input_release_all(self->input);
        return GDK_EVENT_PROPAGATE;
    }
    vitrine_input_key(self->input, evdev, true);
    return GDK_EVENT_STOP;
}

static void on_key_released(GtkEventControllerKey *controller, guint keyval, guint keycode,
                            GdkModifierType modifiers, VitrineScreen *self)
{
    unsigned evdev = keycode - XKB_EVDEV_OFFSET;
    if (!self->grabbed)
        return;
    vitrine_input_key(self->input, evdev, false);
    if (screen_completes_chord(self, evdev, false))
        vitrine_screen_release(self);
}

static void on_focus_in(GtkEventControllerFocus *controller, VitrineScreen *self)
{
    vitrine_screen_grab(self);
}

static void on_focus_out(GtkEventControllerFocus *controller, VitrineScreen *self)
{
    vitrine_screen_release(self);
}

void screen_add_keyboard(VitrineScreen *self)
{
    GtkWidget *widget = GTK_WIDGET(self);
    GtkEventController *key = gtk_event_controller_key_new();
    gtk_event_controller_set_propagation_phase(key, GTK_PHASE_CAPTURE);
    g_signal_connect(key, "key-pressed", G_CALLBACK(on_key_pressed), self);
    g_signal_connect(key, "key-released", G_CALLBACK(on_key_released), self);
    gtk_widget_add_controller(widget, key);

    GtkEventController *focus = gtk_event_controller_focus_new();
    g_signal_connect(focus, "enter", G_CALLBACK(on_focus_in), self);
    g_signal_connect(focus, "leave", G_CALLBACK(on_focus_out), self);
    gtk_widget_add_controller(widget, focus);
}
