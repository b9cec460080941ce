/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "model/defaults.h"
#include "ui/settings-pages.h"
#include <glib/gi18n.h>

#define MIB (UINT64_C(1) << 20)

struct _VitrineSettingsSystem {
    AdwPreferencesPage parent;
    VitrineMachine *machine; /* owned */
    SettingsStore *store;    /* borrowed; the bindings keep it */
    AdwEntryRow *name_row;
    AdwComboRow *firmware_row, *cpu_row;
    AdwActionRow *os_row, *memory_row, *cpus_row, *runs_on_row;
    GtkSpinButton *memory, *cpus;
};

G_DEFINE_FINAL_TYPE(VitrineSettingsSystem, vitrine_settings_system, ADW_TYPE_PREFERENCES_PAGE)

/* What this computer has; a machine cannot have more memory. */
static void page_show_host(VitrineSettingsSystem *self)
{
    uint64_t memory = host_memory_bytes();
    if (memory) {
        g_autofree char *size = g_format_size_full(memory, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *text = g_strdup_printf(_("This computer has %s of memory"), size);
        adw_action_row_set_subtitle(self->memory_row, text);
        gtk_adjustment_set_upper(gtk_spin_button_get_adjustment(self->memory),
                                 (double)(memory / MIB));
    }
    unsigned n_cpus = host_n_cpus();
    g_autofree char *text = g_strdup_printf(
        ngettext("This computer has %u processor", "This computer has %u processors", n_cpus),
        n_cpus);
    adw_action_row_set_subtitle(self->cpus_row, text);
}

static const char *const firmware_words[] = { "bios", "uefi", NULL };
static const char *const cpu_words[] = { "auto", "kvm", "software", NULL };

/* A running machine moves at once. Connected before the binding, so what the file says already was
 * not chosen here. */
static void page_move(VitrineSettingsSystem *self)
{
    guint selected = adw_combo_row_get_selected(self->cpu_row);
    g_autofree char *before = settings_store_dup(self->store, "cpu");
    if (self->machine && selected < G_N_ELEMENTS(cpu_words) - 1 && before &&
        strcmp(before, cpu_words[selected]) != 0)
        vitrine_machine_set_cpu(self->machine, cpu_words[selected]);
}

static void page_update_running(VitrineMachine *machine, GParamSpec *spec,
                                VitrineSettingsSystem *self)
{
    g_autofree char *text = NULL, *reason = NULL;
    g_object_get(machine, "cpu-text", &text, "cpu-reason", &reason, NULL);
    gtk_widget_set_visible(GTK_WIDGET(self->runs_on_row), text && *text);
    g_autofree char *both = g_strdup_printf("%s\n%s", text, reason);
    adw_action_row_set_subtitle(self->runs_on_row, both);
}

static void page_update_os(SettingsStore *store, VitrineSettingsSystem *self)
{
    const Definition *definition = settings_store_get_definition(store);
    bool known = definition && definition->os[0];
    gtk_widget_set_visible(GTK_WIDGET(self->os_row), known);
    adw_action_row_set_subtitle(self->os_row, known ? definition->os : "");
}

static void vitrine_settings_system_dispose(GObject *object)
{
    g_clear_object(&VITRINE_SETTINGS_SYSTEM(object)->machine);
    G_OBJECT_CLASS(vitrine_settings_system_parent_class)->dispose(object);
}

static void vitrine_settings_system_class_init(VitrineSettingsSystemClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_settings_system_dispose;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/settings-system.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget_class, VitrineSettingsSystem, name)
    CHILD(name_row);
    CHILD(os_row);
    CHILD(memory_row);
    CHILD(cpus_row);
    CHILD(firmware_row);
    CHILD(cpu_row);
    CHILD(runs_on_row);
    CHILD(memory);
    CHILD(cpus);
#undef CHILD
}

static void vitrine_settings_system_init(VitrineSettingsSystem *self)
{
    gtk_widget_init_template(GTK_WIDGET(self));
    page_show_host(self);
}

AdwPreferencesPage *vitrine_settings_system_new(VitrineMachine *machine, SettingsStore *store)
{
    VitrineSettingsSystem *self = g_object_new(VITRINE_TYPE_SETTINGS_SYSTEM, NULL);
    self->machine = g_object_ref(machine);
    self->store = store;
    settings_bind_entry(store, "name", self->name_row);
    settings_bind_spin(store, "memory", self->memory, MIB);
    settings_bind_spin(store, "cpus", self->cpus, 0);
    settings_bind_choice(store, "firmware", self->firmware_row, firmware_words);
    g_signal_connect_swapped(self->cpu_row, "notify::selected", G_CALLBACK(page_move), self);
    settings_bind_choice(store, "cpu", self->cpu_row, cpu_words);
    settings_note_next_start(machine, GTK_WIDGET(self->memory_row));
    settings_note_next_start(machine, GTK_WIDGET(self->cpus_row));
    settings_note_next_start(machine, GTK_WIDGET(self->firmware_row));
    g_signal_connect_object(machine, "notify::cpu-text", G_CALLBACK(page_update_running), self, 0);
    g_signal_connect_object(machine, "notify::cpu-reason", G_CALLBACK(page_update_running), self,
                            0);
    page_update_running(machine, NULL, self);
    g_signal_connect_object(store, "changed", G_CALLBACK(page_update_os), self, 0);
    page_update_os(store, self);
    return ADW_PREFERENCES_PAGE(self);
}
