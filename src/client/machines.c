/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "client/client.h"
#include "client/guard.h"
#include "client/stop-words.h"
#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define ANSWER_TIMEOUT_MS 3000

static const char *const state_names[] = { "off",    "running", "paused", "paused-problem",
                                           "failed", "crashed" };
G_STATIC_ASSERT(G_N_ELEMENTS(state_names) == CLIENT_N_STATES);

const char *client_state_name(ClientState state)
{
    g_return_val_if_fail(state < CLIENT_N_STATES, "off");
    return state_names[state];
}

const char *client_state_words(ClientState state)
{
    static const char *const words[CLIENT_N_STATES] = {
        [CLIENT_OFF] = N_("off"),
        [CLIENT_RUNNING] = N_("running"),
        [CLIENT_PAUSED] = N_("paused"),
        [CLIENT_PAUSED_PROBLEM] = N_("paused, as it needs attention"),
        [CLIENT_FAILED] = N_("failed"),
        [CLIENT_CRASHED] = N_("stopped unexpectedly"),
    };
    g_return_val_if_fail(state < CLIENT_N_STATES, "");
    return _(words[state]);
}

int client_state_parse(const char *name)
{
    for (int i = 0; i < CLIENT_N_STATES; i++)
        if (g_strcmp0(state_names[i], name) == 0)
            return i;
    return -1;
}

bool client_state_is_live(ClientState state)
{
    return state != CLIENT_OFF && state != CLIENT_CRASHED;
}

void client_machine_free(ClientMachine *machine)
{
    if (!machine)
        return;
    g_free(machine->bundle);
    g_free(machine->folder_name);
    g_free(machine->moved_from);
    definition_free(machine->definition);
    g_clear_error(&machine->damage);
    g_free(machine->problem);
    stop_record_clear(&machine->stop);
    g_free(machine);
}

const char *client_machine_name(const ClientMachine *machine)
{
    if (machine->definition)
        return machine->definition->name;
    return machine->folder_name;
}

/* --- Connections --- */

GDBusConnection *client_connect(const char *uuid, GError **error)
{
    app_error_quark(); /* known to GDBus before the first error comes back */
    g_autofree char *bus = runtime_dup_bus(uuid);
    g_autofree char *escaped = g_dbus_address_escape_value(bus);
    g_autofree char *address = g_strconcat("unix:path=", escaped, NULL);
    g_autoptr(GError) local = NULL;
    GDBusConnection *connection = g_dbus_connection_new_for_address_sync(
        address, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT, NULL, NULL, &local);
    if (!connection)
        g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE, _("The machine is not running"));
    else
        guard_connection(connection, GUARD_MACHINE);
    return connection;
}

VitrineDBusMachine1 *client_connect_machine(const char *uuid, GError **error)
{
    g_autoptr(GDBusConnection) connection = client_connect(uuid, error);
    if (!connection)
        return NULL;
    VitrineDBusMachine1 *machine = vitrine_dbus_machine1_proxy_new_sync(
        connection, G_DBUS_PROXY_FLAGS_NONE, NULL, CLIENT_PATH_MACHINE, NULL, error);
    if (!machine)
        return NULL;
    if (!vitrine_dbus_machine1_get_state(machine)) {
        g_object_unref(machine);
        g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE, _("The machine does not answer"));
        return NULL;
    }
    /* Typing, waiting and stopping take as long as they take. */
    g_dbus_proxy_set_default_timeout(G_DBUS_PROXY(machine), G_MAXINT);
    return machine;
}

/* An engine holds its machine's folder locked, wherever that goes. */
static bool folder_is_locked(const char *bundle)
{
    int fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool locked = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (fd >= 0)
        close(fd);
    return locked;
}

int client_lock_off(const char *bundle, GError **error)
{
    int fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0)
        return fd;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && saved == EWOULDBLOCK)
        g_set_error(error, APP_ERROR, APP_ERROR_WRONG_STATE,
                    _("The machine is running. Stop it first (%s)"), bundle);
    else
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(saved), _("“%s” cannot be read: %s"),
                    bundle, g_strerror(saved));
    return -1;
}

/* Asks the engine. A socket that nobody serves, left by an engine that was killed, is no engine. */
static bool ask_engine(ClientMachine *machine)
{
    g_autoptr(GDBusConnection) connection = client_connect(machine->definition->uuid, NULL);
    if (!connection)
        return false;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        connection, NULL, CLIENT_PATH_MACHINE, "org.freedesktop.DBus.Properties", "GetAll",
        g_variant_new("(s)", "org.vitrine.Machine1"), G_VARIANT_TYPE("(a{sv})"),
        G_DBUS_CALL_FLAGS_NONE, ANSWER_TIMEOUT_MS, NULL, NULL);
    g_dbus_connection_close_sync(connection, NULL, NULL);
    if (!reply) { /* it is there but busy */
        machine->state = CLIENT_RUNNING;
        return true;
    }
    g_autoptr(GVariant) properties = g_variant_get_child_value(reply, 0);
    const char *state = "", *problem = "", *bundle = "";
    g_variant_lookup(properties, "State", "&s", &state);
    g_variant_lookup(properties, "Problem", "&s", &problem);
    g_variant_lookup(properties, "Bundle", "&s", &bundle);
    /* A copied folder has the same UUID; only one of the two can be the one that runs. One that was
     * moved meanwhile is still locked. */
    g_autofree char *canonical = g_canonicalize_filename(machine->bundle, NULL);
    if (bundle[0] && strcmp(bundle, canonical) != 0) {
        GStatBuf a, b;
        if (g_stat(bundle, &a) != 0 || g_stat(canonical, &b) != 0 || a.st_ino != b.st_ino ||
            a.st_dev != b.st_dev) {
            if (!folder_is_locked(canonical))
                return false;
        }
    }
    int parsed = client_state_parse(state);
    machine->state = parsed < 0 ? CLIENT_RUNNING : parsed;
    const char *reason = "", *subject = "";
    g_variant_lookup(properties, "StopReason", "&s", &reason);
    g_variant_lookup(properties, "StopSubject", "&s", &subject);
    g_variant_lookup(properties, "TripleFaults", "u", &machine->stop.n_triple_faults);
    machine->stop.reason = stop_reason_parse(reason);
    machine->stop.subject = g_strdup(subject);
    g_free(machine->problem);
    machine->problem = machine->stop.reason == STOP_NONE
                           ? g_strdup(problem)
                           : stop_dup_explanation(&machine->stop, machine->bundle);
    return true;
}

/* --- The library --- */

/* The engine writes its log as long as it runs. */
static int64_t last_use(const char *bundle)
{
    GStatBuf st;
    g_autofree char *log = g_build_filename(bundle, BUNDLE_LOG, NULL);
    return g_stat(log, &st) == 0 ? (int64_t)st.st_mtime : 0;
}

ClientMachine *client_open_machine(const char *bundle)
{
    ClientMachine *machine = g_new0(ClientMachine, 1);
    machine->bundle = g_canonicalize_filename(bundle, NULL);
    machine->folder_name = bundle_dup_name_of_folder(machine->bundle);
    machine->problem = g_strdup("");
    machine->last_used = last_use(machine->bundle);
    machine->definition = bundle_load(machine->bundle, &machine->damage);
    if (machine->definition && ask_engine(machine))
        return machine;

    bool has_record = stop_record_load(machine->bundle, &machine->stop);
    g_autofree char *running = g_build_filename(machine->bundle, BUNDLE_RUNNING, NULL);
    if (g_file_test(running, G_FILE_TEST_EXISTS)) {
        /* At a clean end the mark goes first, then the socket; and the socket was silent. */
        machine->state = CLIENT_CRASHED;
        if (!has_record)
            machine->stop.reason = STOP_KILLED;
        g_free(machine->problem);
        machine->problem = stop_dup_explanation(&machine->stop, machine->bundle);
    }
    return machine;
}

void client_forget_crash(const char *bundle)
{
    g_autoptr(ClientMachine) machine = client_open_machine(bundle);
    g_autofree char *running = g_build_filename(bundle, BUNDLE_RUNNING, NULL);
    if (machine->state == CLIENT_CRASHED)
        g_unlink(running);
}

typedef bool (*MachineMatch)(const ClientMachine *machine, const char *spec);

static bool match_uuid(const ClientMachine *machine, const char *spec)
{
    return machine->definition && g_ascii_strcasecmp(machine->definition->uuid, spec) == 0;
}

static bool match_name(const ClientMachine *machine, const char *spec)
{
    return strcmp(client_machine_name(machine), spec) == 0;
}

static bool match_folder(const ClientMachine *machine, const char *spec)
{
    g_autofree char *folder = g_path_get_basename(machine->bundle);
    return strcmp(folder, spec) == 0;
}

static bool match_folded_name(const ClientMachine *machine, const char *spec)
{
    g_autofree char *a = g_utf8_casefold(client_machine_name(machine), -1);
    g_autofree char *b = g_utf8_casefold(spec, -1);
    return strcmp(a, b) == 0;
}

static bool match_prefix(const ClientMachine *machine, const char *spec)
{
    g_autofree char *a = g_utf8_casefold(client_machine_name(machine), -1);
    g_autofree char *b = g_utf8_casefold(spec, -1);
    return g_str_has_prefix(a, b);
}

ClientMachine *client_find_machine(const char *spec, GError **error)
{
    /* A slash may be in a name too. */
    if (strchr(spec, '/') || g_str_has_suffix(spec, BUNDLE_SUFFIX)) {
        g_autofree char *path = g_canonicalize_filename(spec, NULL);
        if (bundle_is_bundle(path))
            return client_open_machine(path);
        if (g_path_is_absolute(spec)) {
            g_set_error(error, APP_ERROR, APP_ERROR_NOT_FOUND, _("“%s” is not a machine's folder"),
                        spec);
            return NULL;
        }
    }
    static const MachineMatch matches[] = { match_uuid, match_name, match_folder, match_folded_name,
                                            match_prefix };
    g_autoptr(GPtrArray) machines = client_list_machines();
    for (unsigned m = 0; m < G_N_ELEMENTS(matches) && spec[0]; m++) {
        g_autoptr(GString) names = g_string_new(NULL);
        unsigned n_found = 0, found = 0;
        for (unsigned i = 0; i < machines->len; i++)
            if (matches[m](machines->pdata[i], spec)) {
                g_string_append_printf(names, "%s%s", n_found ? ", " : "",
                                       client_machine_name(machines->pdata[i]));
                n_found++;
                found = i;
            }
        if (n_found == 1)
            return g_ptr_array_steal_index(machines, found);
        if (n_found > 1) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        _("“%s” could be any of: %s. Say more of the name, or give the UUID or the "
                          "folder"),
                        spec, names->str);
            return NULL;
        }
    }
    g_set_error(error, APP_ERROR, APP_ERROR_NOT_FOUND,
                _("There is no machine “%s”. “vitrinectl list” shows those there are"), spec);
    return NULL;
}
