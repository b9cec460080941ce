/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/frame.h"
#include "client/client.h"
#include "client/guard.h"
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <glib/gi18n.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIXMAN_X8R8G8B8 0x20020888u
#define PIXMAN_A8R8G8B8 0x20028888u

struct _VitrineFrame {
    GObject parent;
    /* owned */
    GDBusConnection *machine; /* the machine's, once asked to connect */
    unsigned suggested_width, suggested_height;
    GDBusConnection *connection; /* the listener's own; NULL while not registered */
    QemuDBusDisplay1Listener *listener;
    QemuDBusDisplay1ListenerUnixMap *map_listener;
    void *mapping; /* of the engine's memory, or NULL */
    size_t mapping_size;
    uint8_t *copy; /* pixels that came by value, or NULL */
    /* the picture */
    unsigned width, height, stride;
    const uint8_t *pixels; /* in mapping or copy */
    char *problem;         /* owned: why there is none, or NULL */
};

enum { SIGNAL_RESIZED, SIGNAL_DAMAGED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineFrame, vitrine_frame, G_TYPE_OBJECT)

static void frame_forget_pixels(VitrineFrame *self)
{
    if (self->mapping)
        munmap(self->mapping, self->mapping_size);
    self->mapping = NULL;
    g_clear_pointer(&self->copy, g_free);
    self->pixels = NULL;
    self->width = self->height = self->stride = 0;
    g_clear_pointer(&self->problem, g_free);
}

static void frame_refuse(VitrineFrame *self, unsigned width, unsigned height, unsigned stride)
{
    g_warning("a picture that cannot be: %u × %u, stride %u", width, height, stride);
    self->problem = g_strdup_printf(_("The machine sent a picture that cannot be shown (%u × %u)."),
                                    width, height);
}

static bool size_is_sane(unsigned width, unsigned height, unsigned stride, unsigned format)
{
    return width > 0 && height > 0 && width <= VITRINE_FRAME_MAX_SIZE &&
           height <= VITRINE_FRAME_MAX_SIZE &&
           (uint64_t)width * height <= VITRINE_FRAME_MAX_PIXELS && stride >= width * 4 &&
           stride <= VITRINE_FRAME_MAX_SIZE * 16 && stride % 4 == 0 &&
           (format == PIXMAN_X8R8G8B8 || format == PIXMAN_A8R8G8B8);
}

static void frame_resized(VitrineFrame *self)
{
    g_signal_emit(self, signals[SIGNAL_RESIZED], 0);
}

static void frame_damaged(VitrineFrame *self, int x, int y, int width, int height)
{
    VitrineRect rect = { CLAMP(x, 0, (int)self->width), CLAMP(y, 0, (int)self->height), 0, 0 };
    rect.width = CLAMP(width, 0, (int)self->width - rect.x);
    rect.height = CLAMP(height, 0, (int)self->height - rect.y);
    if (rect.width > 0 && rect.height > 0)
        g_signal_emit(self, signals[SIGNAL_DAMAGED], 0, &rect);
}

static gboolean on_scanout(QemuDBusDisplay1Listener *listener, GDBusMethodInvocation *invocation,
                           guint width, guint height, guint stride, guint format, GVariant *data,
                           VitrineFrame *self)
{
    gsize length;
    const uint8_t *bytes = g_variant_get_fixed_array(data, &length, 1);
    frame_forget_pixels(self);
    if (size_is_sane(width, height, stride, format) && length >= (gsize)stride * height) {
        self->copy = g_memdup2(bytes, (gsize)stride * height);
        self->pixels = self->copy;
        self->width = width;
        self->height = height;
        self->stride = stride;
    } else {
        frame_refuse(self, width, height, stride);
    }
    frame_resized(self);
    qemu_dbus_display1_listener_complete_scanout(listener, invocation);
    return TRUE;
}

static gboolean on_update(QemuDBusDisplay1Listener *listener, GDBusMethodInvocation *invocation,
                          gint x, gint y, gint width, gint height, guint stride, guint format,
                          GVariant *data, VitrineFrame *self)
{
    gsize length;
    const uint8_t *bytes = g_variant_get_fixed_array(data, &length, 1);
    bool fits = self->copy && x >= 0 && y >= 0 && width > 0 && height > 0 &&
                (unsigned)width <= self->width && (unsigned)x <= self->width - (unsigned)width &&
                (unsigned)height <= self->height &&
                (unsigned)y <= self->height - (unsigned)height &&
                size_is_sane((unsigned)width, (unsigned)height, stride, format) &&
                length >= (gsize)stride * (unsigned)height;
    if (fits) {
        for (int row = 0; row < height; row++)
            memcpy(self->copy + (gsize)(y + row) * self->stride + (gsize)x * 4,
                   bytes + (gsize)row * stride, (gsize)width * 4);
        frame_damaged(self, x, y, width, height);
    }
    qemu_dbus_display1_listener_complete_update(listener, invocation);
    return TRUE;
}

static gboolean on_disable(QemuDBusDisplay1Listener *listener, GDBusMethodInvocation *invocation,
                           VitrineFrame *self)
{
    frame_forget_pixels(self);
    frame_resized(self);
    qemu_dbus_display1_listener_complete_disable(listener, invocation);
    return TRUE;
}

/* A memfd that could shrink under us would be a way to kill the front end, so the seal is required.
 */
static bool frame_map(VitrineFrame *self, int fd, unsigned offset, unsigned width, unsigned height,
                      unsigned stride)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);
    size_t needed = (size_t)offset + (size_t)stride * height;
    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &st) < 0 ||
        (uint64_t)st.st_size < needed)
        return false;
    void *mapping = mmap(NULL, needed, PROT_READ, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED)
        return false;
    self->mapping = mapping;
    self->mapping_size = needed;
    self->pixels = (const uint8_t *)mapping + offset;
    self->width = width;
    self->height = height;
    self->stride = stride;
    return true;
}

static gboolean on_scanout_map(QemuDBusDisplay1ListenerUnixMap *listener,
                               GDBusMethodInvocation *invocation, GUnixFDList *fds,
                               GVariant *handle, guint offset, guint width, guint height,
                               guint stride, guint format, VitrineFrame *self)
{
    int which = g_variant_get_handle(handle);
    bool is_there = fds && which >= 0 && which < g_unix_fd_list_get_length(fds);
    int fd = is_there ? g_unix_fd_list_get(fds, which, NULL) : -1;
    frame_forget_pixels(self);
    if (fd < 0 || !size_is_sane(width, height, stride, format) ||
        !frame_map(self, fd, offset, width, height, stride))
        frame_refuse(self, width, height, stride);
    if (fd >= 0)
        close(fd);
    frame_resized(self);
    qemu_dbus_display1_listener_unix_map_complete_scanout_map(listener, invocation, NULL);
    return TRUE;
}

static gboolean on_update_map(QemuDBusDisplay1ListenerUnixMap *listener,
                              GDBusMethodInvocation *invocation, gint x, gint y, gint width,
                              gint height, VitrineFrame *self)
{
    if (self->pixels)
        frame_damaged(self, x, y, width, height);
    qemu_dbus_display1_listener_unix_map_complete_update_map(listener, invocation);
    return TRUE;
}

/* What is still queued finds nobody. */
static void frame_close(VitrineFrame *self)
{
    if (self->connection) {
        g_signal_handlers_disconnect_by_data(self->connection, self);
        g_dbus_connection_close(self->connection, NULL, NULL, NULL);
    }
    if (self->listener) {
        g_signal_handlers_disconnect_by_data(self->listener, self);
        g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(self->listener));
    }
    if (self->map_listener) {
        g_signal_handlers_disconnect_by_data(self->map_listener, self);
        g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(self->map_listener));
    }
    g_clear_object(&self->connection);
    g_clear_object(&self->listener);
    g_clear_object(&self->map_listener);
}

/* The engine ended, or said too much. */
static void on_closed(GDBusConnection *connection, gboolean remote, GError *error,
                      VitrineFrame *self)
{
    bool too_much = guard_has_closed(connection);
    frame_close(self);
    frame_forget_pixels(self);
    if (too_much)
        self->problem =
            g_strdup(_("The machine sent more than a screen can show, so its screen was cut off."));
    frame_resized(self);
}

void vitrine_frame_disconnect(VitrineFrame *self)
{
    frame_close(self);
    bool had = self->pixels != NULL;
    frame_forget_pixels(self);
    if (had)
        frame_resized(self);
}

static bool frame_export(VitrineFrame *self, GDBusConnection *connection, GError **error)
{
    static const char *const interfaces[] = { "org.qemu.Display1.Listener.Unix.Map", NULL };
    self->listener = qemu_dbus_display1_listener_skeleton_new();
    qemu_dbus_display1_listener_set_interfaces(self->listener, interfaces);
    g_signal_connect(self->listener, "handle-scanout", G_CALLBACK(on_scanout), self);
    g_signal_connect(self->listener, "handle-update", G_CALLBACK(on_update), self);
    g_signal_connect(self->listener, "handle-disable", G_CALLBACK(on_disable), self);
    self->map_listener = qemu_dbus_display1_listener_unix_map_skeleton_new();
    g_signal_connect(self->map_listener, "handle-scanout-map", G_CALLBACK(on_scanout_map), self);
    g_signal_connect(self->map_listener, "handle-update-map", G_CALLBACK(on_update_map), self);
    return g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(self->listener), connection,
                                            CLIENT_PATH_LISTENER, error) &&
           g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(self->map_listener),
                                            connection, CLIENT_PATH_LISTENER, error);
}

static void on_listener_connected(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GTask) task = opaque;
    VitrineFrame *self = g_task_get_source_object(task);
    GError *error = NULL;
    g_autoptr(GDBusConnection) connection = g_dbus_connection_new_finish(result, &error);
    if (!connection || !frame_export(self, connection, &error)) {
        g_task_return_error(task, error);
        return;
    }
    self->connection = g_steal_pointer(&connection);
    guard_connection(self->connection, GUARD_SCREEN);
    g_signal_connect(self->connection, "closed", G_CALLBACK(on_closed), self);
    g_dbus_connection_start_message_processing(self->connection);
    g_task_return_boolean(task, TRUE);
}

static void on_registered(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GTask) task = opaque;
    GSocketConnection *stream = g_task_get_task_data(task);
    GError *error = NULL;
    if (!qemu_dbus_display1_console_call_register_listener_finish(
            QEMU_DBUS_DISPLAY1_CONSOLE(source), NULL, result, &error)) {
        g_task_return_error(task, error);
        return;
    }
    g_dbus_connection_new(G_IO_STREAM(stream), NULL,
                          G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                              G_DBUS_CONNECTION_FLAGS_DELAY_MESSAGE_PROCESSING,
                          NULL, g_task_get_cancellable(task), on_listener_connected,
                          g_object_ref(task));
}

static void on_console(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GTask) task = opaque;
    GError *error = NULL;
    g_autoptr(QemuDBusDisplay1Console) console =
        qemu_dbus_display1_console_proxy_new_finish(result, &error);
    int pair[2];
    if (!console) {
        g_task_return_error(task, error);
        return;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        g_task_return_new_error(task, G_IO_ERROR, g_io_error_from_errno(errno), "socketpair: %s",
                                g_strerror(errno));
        return;
    }
    g_autoptr(GSocket) socket = g_socket_new_from_fd(pair[0], &error);
    g_autoptr(GUnixFDList) fds = g_unix_fd_list_new_from_array(&pair[1], 1);
    if (!socket) {
        g_task_return_error(task, error);
        return;
    }
    g_task_set_task_data(task, g_socket_connection_factory_create_connection(socket),
                         g_object_unref);
    qemu_dbus_display1_console_call_register_listener(console, g_variant_new_handle(0), fds,
                                                      g_task_get_cancellable(task), on_registered,
                                                      g_object_ref(task));
}

void vitrine_frame_connect_async(VitrineFrame *self, GDBusConnection *connection,
                                 GCancellable *cancellable, GAsyncReadyCallback callback,
                                 gpointer opaque)
{
    g_return_if_fail(VITRINE_IS_FRAME(self) && !self->connection);
    GTask *task = g_task_new(self, cancellable, callback, opaque);
    g_set_object(&self->machine, connection);
    qemu_dbus_display1_console_proxy_new(connection, G_DBUS_PROXY_FLAGS_DO_NOT_LOAD_PROPERTIES,
                                         NULL, CLIENT_PATH_CONSOLE, cancellable, on_console, task);
}

bool vitrine_frame_connect_finish(VitrineFrame *self, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}

#define MM_AN_INCH 25.4
#define DOTS_AN_INCH 96 /* of a logical unit */

void vitrine_frame_suggest_size(VitrineFrame *self, unsigned width, unsigned height, double scale)
{
    /* What adapters can: lines of whole character cells. */
    width &= ~7u;
    height &= ~1u;
    if (!self->machine || scale <= 0 ||
        (self->suggested_width == width && self->suggested_height == height))
        return;
    self->suggested_width = width;
    self->suggested_height = height;
    double mm = MM_AN_INCH / (DOTS_AN_INCH * scale);
    g_dbus_connection_call(
        self->machine, NULL, CLIENT_PATH_CONSOLE, "org.qemu.Display1.Console", "SetUIInfo",
        g_variant_new("(qqiiuu)", (guint16)MIN(width * mm, G_MAXUINT16),
                      (guint16)MIN(height * mm, G_MAXUINT16), 0, 0, width, height),
        NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
}

unsigned vitrine_frame_get_width(VitrineFrame *self)
{
    return self->width;
}

unsigned vitrine_frame_get_height(VitrineFrame *self)
{
    return self->height;
}

const uint8_t *vitrine_frame_get_pixels(VitrineFrame *self, unsigned *out_stride)
{
    *out_stride = self->stride;
    return self->pixels;
}

const char *vitrine_frame_get_problem(VitrineFrame *self)
{
    return self->problem;
}

static void vitrine_frame_dispose(GObject *object)
{
    VitrineFrame *self = VITRINE_FRAME(object);
    frame_close(self);
    g_clear_object(&self->machine);
    frame_forget_pixels(self);
    G_OBJECT_CLASS(vitrine_frame_parent_class)->dispose(object);
}

static void vitrine_frame_class_init(VitrineFrameClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_frame_dispose;
    signals[SIGNAL_RESIZED] = g_signal_new("resized", VITRINE_TYPE_FRAME, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 0);
    signals[SIGNAL_DAMAGED] = g_signal_new("damaged", VITRINE_TYPE_FRAME, G_SIGNAL_RUN_LAST, 0,
                                           NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
}

static void vitrine_frame_init(VitrineFrame *self)
{
}

VitrineFrame *vitrine_frame_new(void)
{
    return g_object_new(VITRINE_TYPE_FRAME, NULL);
}
