/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/settings-rows.h"
#include <glib/gi18n.h>

#define REST_MS 300 /* of a number that is being stepped */

typedef struct Binding Binding;
struct Binding {
    SettingsStore *store; /* owned */
    const char *key;      /* a literal */
    GtkWidget *widget;    /* borrowed; we go with it */
    void (*show)(Binding *, const char *value);
    char *(*dup_shown)(Binding *);
    const char *const *words;
    const char *on, *off;
    uint64_t unit_bytes;
    guint rest_timer;
    bool showing; /* what the widget says now is our doing */
};

static void binding_write(Binding *binding)
{
    if (binding->showing)
        return;
    g_clear_handle_id(&binding->rest_timer, g_source_remove);
    g_autofree char *value = binding->dup_shown(binding);
    if (value)
        settings_store_set(binding->store, binding->key, value);
}

static void on_changed(SettingsStore *store, Binding *binding)
{
    g_autofree char *value = settings_store_dup(store, binding->key);
    gtk_widget_set_sensitive(binding->widget, value != NULL);
    if (!value || binding->rest_timer)
        return;
    binding->showing = true;
    binding->show(binding, value);
    binding->showing = false;
}

static gboolean on_rested(gpointer opaque)
{
    Binding *binding = opaque;
    binding->rest_timer = 0;
    binding_write(binding);
    return G_SOURCE_REMOVE;
}

static void binding_write_later(Binding *binding)
{
    if (binding->showing)
        return;
    g_clear_handle_id(&binding->rest_timer, g_source_remove);
    binding->rest_timer = g_timeout_add(REST_MS, on_rested, binding);
}

/* The window may be closed before a number has rested. */
static void on_unmap(GtkWidget *widget, Binding *binding)
{
    if (binding->rest_timer)
        binding_write(binding);
}

static void on_widget_gone(gpointer opaque, GObject *widget)
{
    Binding *binding = opaque;
    g_clear_handle_id(&binding->rest_timer, g_source_remove);
    g_signal_handlers_disconnect_by_data(binding->store, binding);
    g_object_unref(binding->store);
    g_free(binding);
}

static Binding *binding_new(SettingsStore *store, const char *key, GtkWidget *widget)
{
    Binding *binding = g_new0(Binding, 1);
    binding->store = g_object_ref(store);
    binding->key = key;
    binding->widget = widget;
    g_object_weak_ref(G_OBJECT(widget), on_widget_gone, binding);
    g_signal_connect(store, "changed", G_CALLBACK(on_changed), binding);
    return binding;
}

/* Switches --------------------------------------------------------------------------------------
 */

static void switch_show(Binding *binding, const char *value)
{
    gtk_switch_set_active(GTK_SWITCH(binding->widget), strcmp(value, binding->on) == 0);
}

static char *switch_dup(Binding *binding)
{
    return g_strdup(gtk_switch_get_active(GTK_SWITCH(binding->widget)) ? binding->on
                                                                       : binding->off);
}

void settings_bind_switch(SettingsStore *store, const char *key, GtkSwitch *widget, const char *on,
                          const char *off)
{
    Binding *binding = binding_new(store, key, GTK_WIDGET(widget));
    binding->on = on;
    binding->off = off;
    binding->show = switch_show;
    binding->dup_shown = switch_dup;
    g_signal_connect_swapped(widget, "notify::active", G_CALLBACK(binding_write), binding);
    on_changed(store, binding);
}

/* Numbers ---------------------------------------------------------------------------------------
 */

static void spin_show(Binding *binding, const char *value)
{
    uint64_t number = 0;
    if (binding->unit_bytes && size_parse(value, &number))
        gtk_spin_button_set_value(GTK_SPIN_BUTTON(binding->widget),
                                  (double)number / (double)binding->unit_bytes);
    else
        gtk_spin_button_set_value(GTK_SPIN_BUTTON(binding->widget),
                                  (double)g_ascii_strtoull(value, NULL, 10));
}

static char *spin_dup(Binding *binding)
{
    uint64_t number = (uint64_t)gtk_spin_button_get_value(GTK_SPIN_BUTTON(binding->widget));
    return binding->unit_bytes ? size_format(number * binding->unit_bytes)
                               : g_strdup_printf("%" G_GUINT64_FORMAT, number);
}

void settings_bind_spin(SettingsStore *store, const char *key, GtkSpinButton *widget,
                        uint64_t unit_bytes)
{
    Binding *binding = binding_new(store, key, GTK_WIDGET(widget));
    binding->unit_bytes = unit_bytes;
    binding->show = spin_show;
    binding->dup_shown = spin_dup;
    g_signal_connect_swapped(widget, "value-changed", G_CALLBACK(binding_write_later), binding);
    g_signal_connect(widget, "unmap", G_CALLBACK(on_unmap), binding);
    on_changed(store, binding);
}

/* Choices ---------------------------------------------------------------------------------------
 */

static void choice_show(Binding *binding, const char *value)
{
    for (guint i = 0; binding->words[i]; i++)
        if (strcmp(binding->words[i], value) == 0)
            adw_combo_row_set_selected(ADW_COMBO_ROW(binding->widget), i);
}

static char *choice_dup(Binding *binding)
{
    guint selected = adw_combo_row_get_selected(ADW_COMBO_ROW(binding->widget));
    return selected == GTK_INVALID_LIST_POSITION ? NULL : g_strdup(binding->words[selected]);
}

void settings_bind_choice(SettingsStore *store, const char *key, AdwComboRow *widget,
                          const char *const *words)
{
    Binding *binding = binding_new(store, key, GTK_WIDGET(widget));
    binding->words = words;
    binding->show = choice_show;
    binding->dup_shown = choice_dup;
    g_signal_connect_swapped(widget, "notify::selected", G_CALLBACK(binding_write), binding);
    on_changed(store, binding);
}

/* Texts -----------------------------------------------------------------------------------------
 */

static void entry_show(Binding *binding, const char *value)
{
    GtkEditable *editable = GTK_EDITABLE(binding->widget);
    if (strcmp(gtk_editable_get_text(editable), value) != 0)
        gtk_editable_set_text(editable, value);
}

static char *entry_dup(Binding *binding)
{
    return g_strdup(gtk_editable_get_text(GTK_EDITABLE(binding->widget)));
}

void settings_bind_entry(SettingsStore *store, const char *key, AdwEntryRow *widget)
{
    Binding *binding = binding_new(store, key, GTK_WIDGET(widget));
    binding->show = entry_show;
    binding->dup_shown = entry_dup;
    adw_entry_row_set_show_apply_button(widget, TRUE);
    g_signal_connect_swapped(widget, "apply", G_CALLBACK(binding_write), binding);
    on_changed(store, binding);
}

/* Rows that wait for the next start -------------------------------------------------------------
 */

static void note_update(VitrineMachine *machine, GParamSpec *spec, GtkWidget *row)
{
    gboolean live = FALSE;
    g_object_get(machine, "live", &live, NULL);
    const char *usual = g_object_get_data(G_OBJECT(row), "usual-subtitle");
    const char *note = _("Applies at the next start");
    g_autofree char *both = usual && *usual ? g_strdup_printf("%s\n%s", usual, note) : NULL;
    g_object_set(row, "subtitle", live ? (both ? both : note) : usual, NULL);
}

void settings_note_next_start(VitrineMachine *machine, GtkWidget *row)
{
    char *usual = NULL;
    g_object_get(row, "subtitle", &usual, NULL);
    g_object_set_data_full(G_OBJECT(row), "usual-subtitle", usual, g_free);
    g_signal_connect_object(machine, "notify::live", G_CALLBACK(note_update), row, 0);
    note_update(machine, NULL, row);
}
