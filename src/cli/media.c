/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/verbs.h"
#include "client/file-disc.h"
#include "model/medium.h"
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Files rather go into a drive that is empty, or has files already: the other may hold the disc
 * that the guest runs from. And they are what is ejected first (@with_files). -1: there is none. */
static int find_spare_drive(const ClientMachine *machine, bool with_files)
{
    for (int i = 0; i < DEFINITION_MAX_DRIVES; i++) {
        const DefinitionDrive *drive = &machine->definition->drive[i];
        g_autofree char *own = bundle_dup_file_disc(machine->bundle, i);
        g_autofree char *in = bundle_dup_absolute(machine->bundle, drive->path);
        bool has_files = strcmp(in, own) == 0;
        if (drive->type == DRIVE_CDROM && (has_files || (!with_files && !drive->path[0])))
            return i;
    }
    return -1;
}

/* The drive asked for, or the first that takes discs. -1 and @error when there is none. */
static int find_drive(const ClientMachine *machine, int asked, bool for_files, bool to_eject,
                      GError **error)
{
    const Definition *definition = machine->definition;
    int drive = asked < 0 && (for_files || to_eject) ? find_spare_drive(machine, to_eject) : asked;
    if (asked < 0 && drive < 0)
        drive = definition_find_drive(definition, DRIVE_CDROM);
    if (drive >= 0 && drive < DEFINITION_MAX_DRIVES && definition->drive[drive].type == DRIVE_CDROM)
        return drive;
    if (asked >= 0)
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID, _("“%s” has no CD drive %d"),
                    definition->name, asked);
    else
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("“%s” has no CD drive. Setting drive-1.type=cdrom adds one"),
                    definition->name);
    return -1;
}

/* A machine that is off has its disc in its definition. */
static bool change_definition(ClientMachine *machine, int drive, const char *path, GError **error)
{
    char **where = &machine->definition->drive[drive].path;
    g_free(*where);
    *where = bundle_dup_relative(machine->bundle, path);
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

/* --- a disc made of files --------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    interrupted = 1;
}

static void on_progress(double fraction, gpointer cancellable)
{
    if (interrupted)
        g_cancellable_cancel(cancellable);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s %3.0f %%%s", _("Writing the disc:"), fraction * 100,
                fraction < 1 ? "" : "\r\033[K");
}

/* The disc of @paths at its place in the bundle. A first Ctrl-C tidies up, a second one kills. */
static char *make_file_disc(const ClientMachine *machine, int drive, GPtrArray *paths,
                            GError **error)
{
    g_autofree char *iso = bundle_dup_file_disc(machine->bundle, drive);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    struct sigaction old, catch = { .sa_handler = on_interrupt, .sa_flags = SA_RESETHAND };
    sigaction(SIGINT, &catch, &old);
    bool good = client_file_disc_create(paths, iso, on_progress, cancellable, cancellable, error);
    sigaction(SIGINT, &old, NULL);
    return good ? g_steal_pointer(&iso) : NULL;
}

/* A drive's disc of files goes when it is taken out. */
static void forget_file_disc(const ClientMachine *machine, int drive, const char *old,
                             const char *now)
{
    g_autofree char *own = bundle_dup_file_disc(machine->bundle, drive);
    if (strcmp(old, own) == 0 && strcmp(now, own) != 0)
        g_unlink(own);
}

static char *check_iso(const char *path, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autoptr(Medium) medium = medium_identify(absolute, error);
    if (!medium)
        return NULL;
    if (medium->kind == MEDIUM_DISC)
        return g_steal_pointer(&absolute);
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                _("“%s” is a disk image, not a disc. Choose an ISO, or say --files to put it on a "
                  "disc as a file"),
                path);
    return NULL;
}

/* --- the verb --------------------------------------------------------------------------------- */

/* Neither an image by its content nor by its name: one file to be read, not a disc. */
static bool is_plain_file(const char *path)
{
    static const char *const images[] = { ".iso", ".img", ".raw",  ".qcow2", ".vmdk", ".vdi",
                                          ".vhd", ".udf", ".vhdx", ".dmg",   ".bin" };
    g_autofree char *name = g_ascii_strdown(path, -1);
    for (unsigned i = 0; i < G_N_ELEMENTS(images); i++)
        if (g_str_has_suffix(name, images[i]))
            return false;
    g_autoptr(Medium) medium = medium_identify(path, NULL);
    return !medium && g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

/* @paths is empty to eject. One image is a disc unless @as_files; all else becomes files on one. */
static bool change_media(const char *spec, int asked_drive, GPtrArray *paths, bool as_files,
                         GError **error)
{
    g_autoptr(ClientMachine) machine = verb_find(spec, error);
    if (paths->len > 1 || (paths->len == 1 && (g_file_test(paths->pdata[0], G_FILE_TEST_IS_DIR) ||
                                               is_plain_file(paths->pdata[0]))))
        as_files = true;
    int drive = machine ? find_drive(machine, asked_drive, as_files, paths->len == 0, error) : -1;
    if (drive < 0)
        return false;
    g_autofree char *now = paths->len == 0 ? g_strdup("")
                           : as_files      ? make_file_disc(machine, drive, paths, error)
                                           : check_iso(paths->pdata[0], error);
    if (!now)
        return false;
    const char *had = machine->definition->drive[drive].path;
    g_autofree char *old = had[0] ? bundle_dup_absolute(machine->bundle, had) : g_strdup("");
    bool good = client_state_is_live(machine->state)
                    ? change_live(machine, drive, now, error)
                    : change_definition(machine, drive, now, error);
    if (good)
        forget_file_disc(machine, drive, old, now);
    return good;
}

bool verb_eject_insert(int argc, char **argv, GError **error)
{
    int drive = -1;
    gboolean as_files = FALSE;
    const GOptionEntry entries[] = { { "drive", 0, 0, G_OPTION_ARG_INT, &drive, NULL, NULL },
                                     { "files", 0, 0, G_OPTION_ARG_NONE, &as_files, NULL, NULL },
                                     { NULL } };
    if (!verb_parse(&argc, &argv, entries, 2, -1, error))
        return false;
    bool insert = strcmp(argv[2], "insert") == 0;
    if (!insert && strcmp(argv[2], "eject") != 0)
        return usage_error(error, _("“%s” is neither insert nor eject"), argv[2]);
    if (insert != (argc > 3))
        return usage_error(error, insert ? _("insert needs an ISO, or files and folders")
                                         : _("eject takes no file"));
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    for (int i = 3; i < argc; i++)
        g_ptr_array_add(paths, argv[i]);
    return change_media(argv[1], drive, paths, as_files, error);
}
