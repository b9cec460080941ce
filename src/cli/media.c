/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include "model/medium.h"
#include <string.h>

/* The drive asked for, or the first that takes discs. -1 and @error when there is none. */
static int find_drive(const Definition *definition, int asked, GError **error)
{
    int drive = asked >= 0 ? asked : definition_find_drive(definition, DRIVE_CDROM);
    if (drive >= 0 && drive < DEFINITION_MAX_DRIVES && definition->drive[drive].type == DRIVE_CDROM)
        return drive;
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID, "“%s” has no%s CD drive%s", definition->name,
                asked >= 0 ? " such" : "", asked >= 0 ? "" : ". set drive-1.type=cdrom adds one");
    return -1;
}

/* A machine that is off has its disc in its definition. */
static bool change_definition(ClientMachine *machine, int drive, const char *path, GError **error)
{
    char **where = &machine->definition->drive[drive].path;
    g_free(*where);
    *where = g_strdup(path);
    return bundle_save(machine->bundle, machine->definition, error);
}

static bool change_live(ClientMachine *machine, int drive, const char *path, GError **error)
{
    g_autoptr(VitrineDBusMachine1) live = client_connect_machine(machine->definition->uuid, error);
    if (!live)
        return false;
    bool good = path[0]
                    ? vitrine_dbus_machine1_call_insert_media_sync(live, drive, path, NULL, error)
                    : vitrine_dbus_machine1_call_eject_media_sync(live, drive, NULL, error);
    return verb_done(good, error);
}

static bool change_media(const char *spec, int asked_drive, const char *path, GError **error)
{
    g_autoptr(ClientMachine) machine = verb_find(spec, error);
    int drive = machine ? find_drive(machine->definition, asked_drive, error) : -1;
    if (drive < 0)
        return false;
    g_autofree char *absolute = path ? g_canonicalize_filename(path, NULL) : g_strdup("");
    if (path) {
        g_autoptr(Medium) medium = medium_identify(absolute, error);
        if (!medium)
            return false;
        if (medium->kind != MEDIUM_DISC) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        "“%s” is a disk image, not a disc. Choose an ISO", path);
            return false;
        }
    }
    return client_state_is_live(machine->state)
               ? change_live(machine, drive, absolute, error)
               : change_definition(machine, drive, absolute, error);
}

bool verb_eject_insert(int argc, char **argv, GError **error)
{
    int drive = -1;
    const GOptionEntry entries[] = { { "drive", 0, 0, G_OPTION_ARG_INT, &drive, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 2, 3, error))
        return false;
    bool insert = strcmp(argv[2], "insert") == 0;
    if (!insert && strcmp(argv[2], "eject") != 0)
        return usage_error(error, "“%s” is neither insert nor eject", argv[2]);
    if (insert != (argc == 4))
        return usage_error(error, insert ? "insert needs an ISO" : "eject takes no file");
    return change_media(argv[1], drive, insert ? argv[3] : NULL, error);
}
