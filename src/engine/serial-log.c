/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/serial-log.h"
#include "base/errors.h"
#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEP_BYTES (256 * 1024)     /* of output, for waits and late consoles */
#define CONSOLE_BYTES (1024 * 1024) /* that wait for a console which does not read */
#define FLUSH_MS 5                  /* the guest writes byte by byte: gather some */

typedef struct {
    SerialLog *log;
    int fd;
    GByteArray *out; /* under the log's lock */
    guint in_watch, out_watch;
} Console;

struct SerialLog {
    CharBackend *port; /* borrowed */
    unsigned listener;
    GMutex lock;
    GByteArray *kept;    /* under lock */
    uint64_t total;      /* under lock */
    uint64_t cut;        /* under lock: the text begins here, counted as total */
    bool flush_pending;  /* under lock */
    GPtrArray *consoles; /* owned; changed on the main thread under lock */
    guint flush_source;
};

static void console_free(gpointer data)
{
    Console *console = data;
    g_clear_handle_id(&console->in_watch, g_source_remove);
    g_clear_handle_id(&console->out_watch, g_source_remove);
    close(console->fd);
    g_byte_array_unref(console->out);
    g_free(console);
}

static void console_close(Console *console)
{
    SerialLog *log = console->log;
    g_mutex_lock(&log->lock);
    unsigned index;
    bool found = g_ptr_array_find(log->consoles, console, &index);
    g_assert(found);
    g_ptr_array_steal_index_fast(log->consoles, index);
    g_mutex_unlock(&log->lock);
    console_free(console);
}

static gboolean on_console_writable(int fd, GIOCondition condition, gpointer opaque);

/* Writes what waits. False when the other end is gone. */
static bool console_flush(Console *console)
{
    g_mutex_lock(&console->log->lock);
    ssize_t n = 0;
    if (console->out->len > 0)
        n = send(console->fd, console->out->data, console->out->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    bool gone = n < 0 && errno != EAGAIN && errno != EINTR;
    if (n > 0)
        g_byte_array_remove_range(console->out, 0, n);
    bool more = console->out->len > 0;
    g_mutex_unlock(&console->log->lock);
    if (!gone && more && console->out_watch == 0)
        console->out_watch = g_unix_fd_add(console->fd, G_IO_OUT, on_console_writable, console);
    return !gone;
}

static gboolean on_console_writable(int fd, GIOCondition condition, gpointer opaque)
{
    Console *console = opaque;
    console->out_watch = 0;
    if (!console_flush(console))
        console_close(console);
    return G_SOURCE_REMOVE;
}

static gboolean on_console_readable(int fd, GIOCondition condition, gpointer opaque)
{
    Console *console = opaque;
    uint8_t buffer[4096];
    ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0) {
        char_backend_send(console->log->port, buffer, n);
        return G_SOURCE_CONTINUE;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    console->in_watch = 0;
    console_close(console);
    return G_SOURCE_REMOVE;
}

static gboolean on_flush(gpointer opaque)
{
    SerialLog *log = opaque;
    g_mutex_lock(&log->lock);
    log->flush_pending = false;
    log->flush_source = 0;
    g_mutex_unlock(&log->lock);
    for (unsigned i = log->consoles->len; i-- > 0;)
        if (!console_flush(log->consoles->pdata[i]))
            console_close(log->consoles->pdata[i]);
    return G_SOURCE_REMOVE;
}

static void append_limited(GByteArray *array, const uint8_t *bytes, size_t length, size_t limit)
{
    g_byte_array_append(array, bytes, length);
    /* Cut rarely: a move a byte would be quadratic. */
    if (array->len > 2 * limit)
        g_byte_array_remove_range(array, 0, array->len - limit);
}

/* On the guest's thread. */
static void on_output(void *opaque, const uint8_t *bytes, size_t length)
{
    SerialLog *log = opaque;
    g_mutex_lock(&log->lock);
    append_limited(log->kept, bytes, length, KEEP_BYTES);
    log->total += length;
    for (unsigned i = 0; i < log->consoles->len; i++) {
        Console *console = log->consoles->pdata[i];
        append_limited(console->out, bytes, length, CONSOLE_BYTES);
    }
    if (log->consoles->len > 0 && !log->flush_pending) {
        log->flush_pending = true;
        log->flush_source = g_timeout_add(FLUSH_MS, on_flush, log);
    }
    g_mutex_unlock(&log->lock);
}

SerialLog *serial_log_new(CharBackend *port)
{
    SerialLog *log = g_new0(SerialLog, 1);
    log->port = port;
    g_mutex_init(&log->lock);
    log->kept = g_byte_array_new();
    log->consoles = g_ptr_array_new_with_free_func(console_free);
    log->listener = char_backend_attach(port, on_output, log);
    return log;
}

void serial_log_free(SerialLog *log)
{
    if (!log)
        return;
    char_backend_detach(log->port, log->listener);
    g_clear_handle_id(&log->flush_source, g_source_remove);
    for (unsigned i = 0; i < log->consoles->len; i++)
        console_flush(log->consoles->pdata[i]); /* the last words */
    g_ptr_array_unref(log->consoles);
    g_byte_array_unref(log->kept);
    g_mutex_clear(&log->lock);
    g_free(log);
}

int serial_log_open_console(SerialLog *log, GError **error)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED, _("No socket for the console: %s"),
                    g_strerror(errno));
        return -1;
    }
    Console *console = g_new0(Console, 1);
    console->log = log;
    console->fd = pair[0];
    console->out = g_byte_array_new();
    console->in_watch =
        g_unix_fd_add(pair[0], G_IO_IN | G_IO_HUP | G_IO_ERR, on_console_readable, console);
    g_mutex_lock(&log->lock);
    size_t skip = log->kept->len > KEEP_BYTES ? log->kept->len - KEEP_BYTES : 0;
    g_byte_array_append(console->out, log->kept->data + skip, log->kept->len - skip);
    g_ptr_array_add(log->consoles, console);
    g_mutex_unlock(&log->lock);
    console_flush(console);
    return pair[1];
}

uint64_t serial_log_total(SerialLog *log)
{
    g_mutex_lock(&log->lock);
    uint64_t total = log->total;
    g_mutex_unlock(&log->lock);
    return total;
}

/* Drops ESC [ … letter, ESC ] … BEL, ESC x and carriage returns (ECMA-48 §5.4). */
static char *strip_terminal(const uint8_t *bytes, size_t length)
{
    GString *text = g_string_sized_new(length);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == 27 && i + 1 < length) {
            uint8_t kind = bytes[++i];
            if (kind == '[')
                while (i + 1 < length && !(bytes[++i] >= 0x40 && bytes[i] <= 0x7e))
                    continue;
            else if (kind == ']')
                while (i + 1 < length && bytes[++i] != 7)
                    continue;
            else if (kind == '(' || kind == ')')
                i++;
        } else if (bytes[i] == '\n' || bytes[i] == '\t' || bytes[i] >= ' ') {
            g_string_append_c(text, bytes[i]);
        }
    }
    g_autofree char *raw = g_string_free(text, FALSE);
    return g_utf8_make_valid(raw, -1);
}

void serial_log_cut(SerialLog *log)
{
    g_mutex_lock(&log->lock);
    log->cut = log->total;
    g_mutex_unlock(&log->lock);
}

char *serial_log_dup_text(SerialLog *log, uint64_t *out_total)
{
    g_mutex_lock(&log->lock);
    size_t length = MIN(log->total - log->cut, MIN(log->kept->len, KEEP_BYTES));
    char *text = strip_terminal(log->kept->data + (log->kept->len - length), length);
    if (out_total)
        *out_total = log->total;
    g_mutex_unlock(&log->lock);
    return text;
}
