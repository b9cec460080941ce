/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "client/disks.h"
#include "ui/settings-drives-private.h"
#include <glib/gi18n.h>

G_DEFINE_FINAL_TYPE(VitrineSettingsDrives, vitrine_settings_drives, ADW_TYPE_PREFERENCES_PAGE)

static GtkWidget *row_button(const char *icon, const char *label, const char *action,
                             unsigned number)
{
    GtkWidget *button = gtk_button_new_from_icon_name(icon);
    gtk_widget_set_valign(button, GTK_ALIGN_CENTER);
    gtk_widget_set_tooltip_text(button, label);
    gtk_widget_add_css_class(button, "flat");
    gtk_accessible_update_property(GTK_ACCESSIBLE(button), GTK_ACCESSIBLE_PROPERTY_LABEL, label,
                                   -1);
    gtk_actionable_set_action_name(GTK_ACTIONABLE(button), action);
    gtk_actionable_set_action_target(GTK_ACTIONABLE(button), "u", number);
    return button;
}

static GtkWidget *disc_row(unsigned number, const DefinitionDrive *drive)
{
    GtkWidget *row = adw_action_row_new();
    g_autofree char *name = g_path_get_basename(drive->path);
    adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(row), FALSE);
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), _("Disc drive"));
    adw_action_row_set_subtitle(ADW_ACTION_ROW(row), drive->path[0] ? name : _("Empty"));
    gtk_widget_set_tooltip_text(row, drive->path[0] ? drive->path : NULL);
    adw_action_row_set_icon_name(ADW_ACTION_ROW(row), "media-optical-symbolic");
    if (drive->path[0])
        adw_action_row_add_suffix(
            ADW_ACTION_ROW(row),
            row_button("media-eject-symbolic", _("Eject disc"), "drives.eject", number));
    GtkWidget *insert =
        row_button("document-open-symbolic", _("Insert disc"), "drives.insert", number);
    adw_action_row_add_suffix(ADW_ACTION_ROW(row), insert);
    adw_action_row_add_suffix(
        ADW_ACTION_ROW(row),
        row_button("user-trash-symbolic", _("Remove drive"), "drives.remove", number));
    adw_action_row_set_activatable_widget(ADW_ACTION_ROW(row), insert);
    return row;
}

/* What a disk is and takes may change while a machine runs, so it is looked up when it is shown. */
static void disk_row_update(GtkWidget *row)
{
    const char *path = gtk_widget_get_tooltip_text(row);
    g_autofree char *name = g_path_get_basename(path), *text = NULL;
    ClientDiskImage image;
    if (client_look_at_disk(path, &image)) {
        g_autofree char *size = g_format_size_full(image.size_bytes, G_FORMAT_SIZE_IEC_UNITS);
        g_autofree char *taken = g_format_size_full(image.occupied_bytes, G_FORMAT_SIZE_IEC_UNITS);
        /* Translators: a disk's size, as "20.0 GiB", and what its file takes */
        text = g_strdup_printf(_("%s, takes %s on this computer"), size, taken);
    } else {
        text = g_strdup_printf(_("%s is missing"), name);
    }
    adw_expander_row_set_subtitle(ADW_EXPANDER_ROW(row), text);
}

static void disk_row_add_file(AdwExpanderRow *row, const char *path)
{
    ClientDiskImage image;
    GtkWidget *file = adw_action_row_new();
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(file), _("File"));
    adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(file), FALSE);
    adw_action_row_set_subtitle(ADW_ACTION_ROW(file), path);
    adw_action_row_set_subtitle_lines(ADW_ACTION_ROW(file), 0);
    adw_expander_row_add_row(row, file);
    if (!client_look_at_disk(path, &image))
        return;
    GtkWidget *format = adw_action_row_new();
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(format), _("Format"));
    adw_action_row_set_subtitle(ADW_ACTION_ROW(format), strcmp(image.format, "qcow2") == 0
                                                            ? _("qcow2, which grows as it fills")
                                                            : _("raw, a plain copy of the disk"));
    adw_expander_row_add_row(row, format);
}

/* The keys of drives, for bindings that keep them. */
static const char *read_only_key(unsigned number)
{
    static const char *const keys[DEFINITION_MAX_DRIVES] = {
        "drive-0.read-only", "drive-1.read-only", "drive-2.read-only",
        "drive-3.read-only", "drive-4.read-only", "drive-5.read-only"
    };
    return keys[number];
}

static const char *interface_key(unsigned number)
{
    static const char *const keys[DEFINITION_MAX_DRIVES] = {
        "drive-0.interface", "drive-1.interface", "drive-2.interface",
        "drive-3.interface", "drive-4.interface", "drive-5.interface"
    };
    return keys[number];
}

static void disk_row_add_interface(VitrineSettingsDrives *self, AdwExpanderRow *row,
                                   unsigned number)
{
    static const char *const words[] = { "ahci", "virtio", NULL };
    const char *const shown[] = { _("SATA (AHCI)"), "virtio", NULL };
    g_autoptr(GtkStringList) names = gtk_string_list_new(shown);
    GtkWidget *interface = adw_combo_row_new();
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(interface), _("Interface"));
    adw_action_row_set_subtitle(
        ADW_ACTION_ROW(interface),
        _("Every system knows SATA. virtio is faster, but the guest needs a driver for it: Linux "
          "has one, Windows has none at first"));
    adw_action_row_set_subtitle_lines(ADW_ACTION_ROW(interface), 0);
    adw_combo_row_set_model(ADW_COMBO_ROW(interface), G_LIST_MODEL(names));
    settings_note_next_start(self->machine, interface);
    settings_bind_choice(self->store, interface_key(number), ADW_COMBO_ROW(interface), words);
    adw_expander_row_add_row(row, interface);
}

static GtkWidget *disk_row(VitrineSettingsDrives *self, unsigned number,
                           const DefinitionDrive *drive)
{
    GtkWidget *row = adw_expander_row_new();
    g_autofree char *path =
        bundle_dup_absolute(settings_store_get_bundle(self->store), drive->path);
    adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(row), FALSE);
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), _("Disk"));
    adw_expander_row_set_icon_name(ADW_EXPANDER_ROW(row), "drive-harddisk-symbolic");
    gtk_widget_set_tooltip_text(row, path);
    g_signal_connect(row, "map", G_CALLBACK(disk_row_update), NULL);
    disk_row_update(row);
    disk_row_add_file(ADW_EXPANDER_ROW(row), path);

    GtkWidget *read_only = adw_action_row_new(), *toggle = gtk_switch_new();
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(read_only), _("Read-only"));
    adw_action_row_set_subtitle(ADW_ACTION_ROW(read_only), _("The guest cannot write to it"));
    gtk_widget_set_valign(toggle, GTK_ALIGN_CENTER);
    gtk_accessible_update_property(GTK_ACCESSIBLE(toggle), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                   _("Read-only"), -1);
    adw_action_row_add_suffix(ADW_ACTION_ROW(read_only), toggle);
    adw_action_row_set_activatable_widget(ADW_ACTION_ROW(read_only), toggle);
    settings_note_next_start(self->machine, read_only);
    settings_bind_switch(self->store, read_only_key(number), GTK_SWITCH(toggle), "true", "false");
    adw_expander_row_add_row(ADW_EXPANDER_ROW(row), read_only);
    disk_row_add_interface(self, ADW_EXPANDER_ROW(row), number);
    adw_expander_row_add_action(
        ADW_EXPANDER_ROW(row),
        row_button("user-trash-symbolic", _("Remove disk"), "drives.remove", number));
    return row;
}

/* What the rows were made of; they are made anew only when that changes, so that a row that is open
 * stays open. */
static char *describe_drives(const Definition *definition)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (unsigned i = 0; i < DEFINITION_MAX_DRIVES; i++)
        g_string_append_printf(text, "%d %s\n", definition->drive[i].type,
                               definition->drive[i].path ? definition->drive[i].path : "");
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void page_update(SettingsStore *store, VitrineSettingsDrives *self)
{
    const Definition *definition = settings_store_get_definition(store);
    if (!definition)
        return;
    g_autofree char *now = describe_drives(definition);
    if (g_strcmp0(now, g_object_get_data(G_OBJECT(self), "shown")) == 0)
        return;
    g_object_set_data_full(G_OBJECT(self), "shown", g_steal_pointer(&now), g_free);
    for (unsigned i = 0; i < self->rows->len; i++)
        adw_preferences_group_remove(self->drives_group, self->rows->pdata[i]);
    g_ptr_array_set_size(self->rows, 0);
    for (unsigned i = 0; i < DEFINITION_MAX_DRIVES; i++) {
        const DefinitionDrive *drive = &definition->drive[i];
        if (drive->type == DRIVE_NONE)
            continue;
        GtkWidget *row = drive->type == DRIVE_CDROM ? disc_row(i, drive) : disk_row(self, i, drive);
        adw_preferences_group_add(self->drives_group, row);
        g_ptr_array_add(self->rows, row);
    }
    bool room = definition_free_drive(definition) >= 0;
    gtk_widget_action_set_enabled(GTK_WIDGET(self), "drives.add-disk", room);
    gtk_widget_action_set_enabled(GTK_WIDGET(self), "drives.add-image", room);
    gtk_widget_action_set_enabled(GTK_WIDGET(self), "drives.add-disc-drive", room);
}

static void page_update_note(VitrineMachine *machine, GParamSpec *spec, VitrineSettingsDrives *self)
{
    gboolean live = FALSE;
    g_object_get(machine, "live", &live, NULL);
    adw_preferences_group_set_description(
        self->drives_group,
        live ? _("Discs change at once; drives that are added or removed, at the next start")
             : NULL);
}

static void vitrine_settings_drives_dispose(GObject *object)
{
    VitrineSettingsDrives *self = VITRINE_SETTINGS_DRIVES(object);
    g_clear_object(&self->machine);
    g_clear_object(&self->store);
    g_clear_pointer(&self->rows, g_ptr_array_unref);
    G_OBJECT_CLASS(vitrine_settings_drives_parent_class)->dispose(object);
}

static void vitrine_settings_drives_class_init(VitrineSettingsDrivesClass *klass)
{
    GtkWidgetClass *widget_class = GTK_WIDGET_CLASS(klass);
    G_OBJECT_CLASS(klass)->dispose = vitrine_settings_drives_dispose;
    gtk_widget_class_set_template_from_resource(widget_class,
                                                "/org/vitrine/Vitrine/settings-drives.ui");
#define CHILD(name) gtk_widget_class_bind_template_child(widget_class, VitrineSettingsDrives, name)
    CHILD(drives_group);
    CHILD(boot_row);
    CHILD(boot_menu_row);
    CHILD(boot_menu);
#undef CHILD
    settings_drives_install_actions(widget_class);
}

static void vitrine_settings_drives_init(VitrineSettingsDrives *self)
{
    self->rows = g_ptr_array_new();
    gtk_widget_init_template(GTK_WIDGET(self));
}

AdwPreferencesPage *vitrine_settings_drives_new(VitrineMachine *machine, SettingsStore *store)
{
    static const char *const boot_words[] = { "cdrom,disk", "disk,cdrom", NULL };
    VitrineSettingsDrives *self = g_object_new(VITRINE_TYPE_SETTINGS_DRIVES, NULL);
    self->machine = g_object_ref(machine);
    self->store = g_object_ref(store);
    settings_bind_choice(store, "boot", self->boot_row, boot_words);
    settings_bind_switch(store, "boot-menu", self->boot_menu, "true", "false");
    settings_note_next_start(machine, GTK_WIDGET(self->boot_row));
    settings_note_next_start(machine, GTK_WIDGET(self->boot_menu_row));
    g_signal_connect_object(machine, "notify::live", G_CALLBACK(page_update_note), self, 0);
    page_update_note(machine, NULL, self);
    g_signal_connect_object(store, "changed", G_CALLBACK(page_update), self, 0);
    page_update(store, self);
    return ADW_PREFERENCES_PAGE(self);
}
