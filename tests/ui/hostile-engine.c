/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* An engine in a guest's hand: it starts as an engine does and then says whatever may hurt a front
 * end. $VITRINE_HOSTILE: sizes (pictures that cannot be), shrink (memory that goes away under the
 * picture), flood (a hundred thousand changes at once), signals (the same of states), words (bytes
 * that are no UTF-8, and ten megabytes of them). */

#include "dbus-display.h"
#include "dbus-machine.h"
#include "engine/server.h"
#include "model/bundle.h"
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LISTENER "/org/qemu/Display1/Listener"
#define X8R8G8B8 0x20020888u
#define MANY 100000

static const char *kind;
static VitrineDBusMachine1 *machine;

static void say(GDBusConnection *to, const char *interface, const char *method, GVariant *words,
                int fd)
{
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
    if (fd >= 0)
        g_unix_fd_list_append(fds, fd, NULL);
    g_dbus_connection_call_with_unix_fd_list(to, NULL, LISTENER, interface, method, words, NULL,
                                             G_DBUS_CALL_FLAGS_NONE, 60000, fds, NULL, NULL, NULL);
}

static void map(GDBusConnection *to, int fd, unsigned offset, unsigned width, unsigned height,
                unsigned stride)
{
    say(to, "org.qemu.Display1.Listener.Unix.Map", "ScanoutMap",
        g_variant_new("(huuuuu)", 0, offset, width, height, stride, X8R8G8B8), fd);
}

static void damage(GDBusConnection *to, int x, int y, int width, int height)
{
    say(to, "org.qemu.Display1.Listener.Unix.Map", "UpdateMap",
        g_variant_new("(iiii)", x, y, width, height), -1);
}

static int memory(bool sealed, off_t size)
{
    int fd = memfd_create("hostile", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, size) < 0 || (sealed && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0))
        abort();
    return fd;
}

static void attack_sizes(GDBusConnection *to)
{
    static const unsigned sizes[][3] = {
        { 0, 0, 0 },          { UINT32_MAX, UINT32_MAX, UINT32_MAX },
        { 0x40000000, 4, 0 }, { 16384, 16384, 65536 },
        { 640, 480, 1 },      { 640, 480, 0x7ffffffc }
    };
    int fd = memory(true, 640 * 480 * 4);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
        map(to, fd, (unsigned)i * 0x30000000u, sizes[i][0], sizes[i][1], sizes[i][2]);
    damage(to, 0, 0, INT32_MAX, INT32_MAX);
    map(to, fd, 0, 640, 480, 640 * 4);
    damage(to, INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX);
    damage(to, 600, 400, INT32_MAX, INT32_MAX);
    map(to, fd, 4, 640, 480, 640 * 4); /* ends with nothing that can be shown */
}

static void attack_shrink(GDBusConnection *to)
{
    int fd = memory(false, 640 * 480 * 4);
    map(to, fd, 0, 640, 480, 640 * 4);
    g_dbus_connection_flush_sync(to, NULL, NULL);
    g_usleep(200000);
    if (ftruncate(fd, 0) < 0)
        abort();
    damage(to, 0, 0, 640, 480);
}

static void attack_flood(GDBusConnection *to)
{
    map(to, memory(true, 640 * 480 * 4), 0, 640, 480, 640 * 4);
    for (int i = 0; i < MANY; i++)
        damage(to, i % 640, i % 480, 1, 1);
}

static gboolean attack_signals(gpointer opaque)
{
    for (int i = 0; i < MANY; i++)
        vitrine_dbus_machine1_emit_state_changed(machine, i % 2 ? "paused" : "running", "");
    return G_SOURCE_REMOVE;
}

static void on_connection(GObject *source, GAsyncResult *result, gpointer opaque)
{
    GDBusConnection *to = g_dbus_connection_new_finish(result, NULL);
    if (!to)
        return;
    if (strcmp(kind, "sizes") == 0)
        attack_sizes(to);
    else if (strcmp(kind, "shrink") == 0)
        attack_shrink(to);
    else if (strcmp(kind, "flood") == 0)
        attack_flood(to);
    else if (strcmp(kind, "signals") == 0)
        g_timeout_add(500, attack_signals, NULL);
}

static gboolean on_register(QemuDBusDisplay1Console *console, GDBusMethodInvocation *invocation,
                            GUnixFDList *fds, GVariant *handle, gpointer opaque)
{
    g_autoptr(GSocket) socket = g_socket_new_from_fd(g_unix_fd_list_get(fds, 0, NULL), NULL);
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    g_autofree char *guid = g_dbus_generate_guid();
    qemu_dbus_display1_console_complete_register_listener(console, invocation, NULL);
    g_dbus_connection_new(G_IO_STREAM(stream), guid, G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER,
                          NULL, NULL, on_connection, NULL);
    return TRUE;
}

static gboolean on_text(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                        gpointer opaque)
{
    GVariant *words[] = { g_variant_new_from_data(G_VARIANT_TYPE_STRING, "\xff\xfe\xc0", 4, TRUE,
                                                  NULL, NULL),
                          g_variant_new_int32(INT32_MAX), g_variant_new_int32(INT32_MIN),
                          g_variant_new_int32(-7), g_variant_new_int32(INT32_MAX) };
    if (strcmp(kind, "words") == 0)
        g_dbus_method_invocation_return_value(invocation,
                                              g_variant_new_tuple(words, G_N_ELEMENTS(words)));
    else
        vitrine_dbus_machine1_complete_text(dbus, invocation, "x", INT32_MAX, INT32_MAX, 0, 0);
    return TRUE;
}

static void fill(VitrineDBusMachine1 *dbus, const char *bundle, const Definition *definition)
{
    g_autofree char *novel = g_strnfill(10 << 20, 'w');
    bool words = strcmp(kind, "words") == 0;
    vitrine_dbus_machine1_set_name(dbus, words ? novel : definition->name);
    vitrine_dbus_machine1_set_uuid(dbus, definition->uuid);
    vitrine_dbus_machine1_set_bundle(dbus, bundle);
    vitrine_dbus_machine1_set_state(dbus, words ? "elsewhere" : "running");
    vitrine_dbus_machine1_set_problem(dbus, words ? novel : "");
    vitrine_dbus_machine1_set_cpu_backend(dbus, words ? novel : "software");
    vitrine_dbus_machine1_set_cpu_reason(dbus, words ? novel : "");
}

int main(int argc, char **argv)
{
    int ready = -1;
    g_autoptr(GError) error = NULL;
    kind = g_getenv("VITRINE_HOSTILE");
    for (int i = 1; i < argc; i++)
        sscanf(argv[i], "--ready-fd=%d", &ready);
    g_autoptr(Definition) definition = bundle_load(argv[argc - 1], &error);
    if (!definition || !kind)
        return 1;
    g_autofree char *directory = runtime_dup_directory(definition->uuid);
    g_autofree char *bus = runtime_dup_bus(definition->uuid);
    g_mkdir_with_parents(directory, 0700);
    machine = vitrine_dbus_machine1_skeleton_new();
    g_signal_connect(machine, "handle-text", G_CALLBACK(on_text), NULL);
    fill(machine, argv[argc - 1], definition);
    QemuDBusDisplay1Console *console = qemu_dbus_display1_console_skeleton_new();
    g_signal_connect(console, "handle-register-listener", G_CALLBACK(on_register), NULL);
    const ServerObject objects[] = {
        { G_DBUS_INTERFACE_SKELETON(machine), "/org/vitrine/Machine1" },
        { G_DBUS_INTERFACE_SKELETON(console), "/org/qemu/Display1/Console_0" },
        { G_DBUS_INTERFACE_SKELETON(qemu_dbus_display1_keyboard_skeleton_new()),
          "/org/qemu/Display1/Console_0" },
        { G_DBUS_INTERFACE_SKELETON(qemu_dbus_display1_mouse_skeleton_new()),
          "/org/qemu/Display1/Console_0" },
    };
    if (!server_new(bus, objects, G_N_ELEMENTS(objects), &error))
        g_error("%s", error->message);
    if (ready >= 0 && (write(ready, "ready\n", 6) != 6 || close(ready) < 0))
        return 1;
    alarm(30);
    g_main_loop_run(g_main_loop_new(NULL, FALSE));
    return 0;
}
