/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What is asked of a machine: of its engine while one runs, else of its definition. */

#include "model/medium.h"
#include "ui/machine-private.h"
#include <glib/gi18n.h>

typedef struct {
    VitrineMachine *machine;
    const char *what; /* for the user, should it fail */
} Call;

static void on_called(GObject *source, GAsyncResult *result, gpointer opaque)
{
    Call *call = opaque;
    GError *error = NULL;
    g_autoptr(GVariant) reply = g_dbus_proxy_call_finish(G_DBUS_PROXY(source), result, &error);
    /* An engine that ends answers no more: on_closed has that. */
    if (error && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CLOSED))
        g_clear_error(&error);
    if (error)
        machine_fail(call->machine, call->what, error);
    g_object_unref(call->machine);
    g_free(call);
}

static void machine_call(VitrineMachine *self, const char *method, GVariant *arguments,
                         const char *what)
{
    VitrineDBusMachine1 *proxy = vitrine_machine_get_proxy(self);
    if (!proxy) {
        if (arguments)
            g_variant_unref(g_variant_ref_sink(arguments));
        return;
    }
    Call *call = g_new(Call, 1);
    *call = (Call){ g_object_ref(self), what };
    g_dbus_proxy_call(G_DBUS_PROXY(proxy), method, arguments, G_DBUS_CALL_FLAGS_NONE, G_MAXINT,
                      NULL, on_called, call);
}

void vitrine_machine_pause(VitrineMachine *self)
{
    machine_call(self, "Pause", NULL, _("The machine could not be paused"));
}

void vitrine_machine_resume(VitrineMachine *self)
{
    machine_call(self, "Resume", NULL, _("The machine could not go on"));
}

void vitrine_machine_reset(VitrineMachine *self)
{
    machine_call(self, "Reset", NULL, _("The machine could not be reset"));
}

void vitrine_machine_press_power(VitrineMachine *self)
{
    machine_call(self, "Stop", g_variant_new("(b)", FALSE), _("The power button did not work"));
}

void vitrine_machine_force_off(VitrineMachine *self)
{
    machine_call(self, "Stop", g_variant_new("(b)", TRUE),
                 _("The machine could not be switched off"));
}

void vitrine_machine_set_cpu(VitrineMachine *self, const char *choice)
{
    machine_call(self, "SetCpu", g_variant_new("(s)", choice),
                 _("The running machine keeps its processor"));
}

/* The number of the first disc drive, or -1; with @want_free rather one that is empty or has a disc
 * of files. @out_disc (may be NULL): what else is in it, or NULL. */
static int machine_disc_drive(VitrineMachine *self, bool want_free, char **out_disc)
{
    VitrineDBusMachine1 *proxy = vitrine_machine_get_proxy(self);
    GVariant *drives = proxy ? vitrine_dbus_machine1_get_drives(proxy) : NULL;
    g_autofree char *disc = NULL;
    int found = -1;
    gsize n = drives ? g_variant_n_children(drives) : 0;
    for (gsize i = 0; i < n && (found < 0 || (want_free && disc)); i++) {
        g_autoptr(GVariant) drive = g_variant_get_child_value(drives, i);
        const char *kind = "", *path = "";
        guint32 number = 0;
        g_variant_lookup(drive, "kind", "&s", &kind);
        g_variant_lookup(drive, "path", "&s", &path);
        g_variant_lookup(drive, "drive", "u", &number);
        if (strcmp(kind, "cdrom") != 0)
            continue;
        g_autofree char *own = bundle_dup_file_disc(vitrine_machine_get_bundle(self), number);
        bool is_free = !*path || strcmp(path, own) == 0;
        if (found >= 0 && !is_free)
            continue;
        found = (int)number;
        g_free(disc);
        disc = is_free ? NULL : g_strdup(path);
    }
    if (out_disc)
        *out_disc = g_steal_pointer(&disc);
    return found;
}

/* A machine that is off has its disc in its definition; @path empty: none. */
static void machine_set_disc(VitrineMachine *self, const char *path, const char *what)
{
    GError *error = NULL;
    g_autoptr(Definition) definition = bundle_load(vitrine_machine_get_bundle(self), &error);
    g_autoptr(Medium) medium = path[0] && definition ? medium_identify(path, &error) : NULL;
    int drive = definition ? definition_find_drive(definition, DRIVE_CDROM) : -1;
    if (!error && drive < 0)
        g_set_error(&error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("This machine has no disc drive."));
    if (!error && medium && medium->kind != MEDIUM_DISC)
        g_set_error(&error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    _("“%s” is a disk image, not a disc. Choose an ISO"), path);
    if (!error) {
        g_free(definition->drive[drive].path);
        definition->drive[drive].path = g_strdup(path);
        bundle_save(vitrine_machine_get_bundle(self), definition, &error);
    }
    if (error)
        machine_fail(self, what, error);
}

void vitrine_machine_insert(VitrineMachine *self, const char *path)
{
    if (!vitrine_machine_get_proxy(self)) {
        machine_set_disc(self, path, _("The disc could not be inserted"));
        return;
    }
    int drive = machine_disc_drive(self, false, NULL);
    if (drive < 0) {
        machine_fail(
            self, _("The disc could not be inserted"),
            g_error_new(G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("This machine has no disc drive.")));
        return;
    }
    vitrine_machine_insert_into(self, drive, path);
}

int vitrine_machine_find_disc_drive(VitrineMachine *self, char **out_disc)
{
    return machine_disc_drive(self, true, out_disc);
}

void vitrine_machine_insert_into(VitrineMachine *self, int drive, const char *path)
{
    machine_call(self, "InsertMedia", g_variant_new("(us)", (guint)drive, path),
                 _("The disc could not be inserted"));
}

void vitrine_machine_eject(VitrineMachine *self)
{
    if (!vitrine_machine_get_proxy(self)) {
        machine_set_disc(self, "", _("The disc could not be ejected"));
        return;
    }
    int drive = machine_disc_drive(self, false, NULL);
    if (drive >= 0)
        machine_call(self, "EjectMedia", g_variant_new("(u)", (guint)drive),
                     _("The disc could not be ejected"));
}

void vitrine_machine_send_keys(VitrineMachine *self, const char *chord)
{
    const char *chords[] = { chord, NULL };
    machine_call(self, "SendKeys", g_variant_new("(^as)", chords), _("The keys could not be sent"));
}
