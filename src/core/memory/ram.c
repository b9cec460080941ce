/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/memory/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void ram_set_error(GError **error, uint64_t size, int error_number)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    g_autofree char *wanted = g_format_size_full(size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *total =
        g_format_size_full((uint64_t)sysconf(_SC_PHYS_PAGES) * page, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *available =
        g_format_size_full((uint64_t)sysconf(_SC_AVPHYS_PAGES) * page, G_FORMAT_SIZE_IEC_UNITS);

    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE,
                _("Cannot provide %s of guest memory%s%s: this computer has %s, of which %s are "
                  "free. Give the machine less memory."),
                wanted, error_number ? ": " : "", error_number ? g_strerror(error_number) : "",
                total, available);
}

Ram *ram_new(const char *name, uint64_t size_bytes, GError **error)
{
    g_return_val_if_fail(name != NULL && size_bytes > 0, NULL);

    uint64_t host_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (size_bytes > host_bytes) {
        ram_set_error(error, size_bytes, 0);
        return NULL;
    }

    g_autoptr(Ram) ram = g_new0(Ram, 1);
    ram->name = g_strdup(name);
    ram->size = (size_bytes + RAM_PAGE_SIZE - 1) & ~(uint64_t)(RAM_PAGE_SIZE - 1);
    ram->host = MAP_FAILED;
    ram->fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (ram->fd < 0 || ftruncate(ram->fd, (off_t)ram->size) < 0 ||
        fcntl(ram->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        ram_set_error(error, size_bytes, errno);
        return NULL;
    }
    ram->host =
        mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram->fd, 0);
    if (ram->host == MAP_FAILED) {
        ram_set_error(error, size_bytes, errno);
        return NULL;
    }
    madvise(ram->host, ram->size, MADV_DONTDUMP); /* guest secrets stay out of core files */

    ram->code = g_try_malloc0(ram->size >> RAM_PAGE_SHIFT);
    if (!ram->code) {
        ram_set_error(error, size_bytes, ENOMEM);
        return NULL;
    }
    return g_steal_pointer(&ram);
}

void ram_free(Ram *ram)
{
    if (!ram)
        return;
    if (ram->host != MAP_FAILED)
        munmap(ram->host, ram->size);
    if (ram->fd >= 0)
        close(ram->fd);
    g_free(ram->dirty);
    g_free(ram->code);
    g_free(ram->name);
    g_free(ram);
}

void ram_enable_dirty_log(Ram *ram)
{
    if (ram->dirty)
        return;
    ram->dirty = g_malloc(ram->size >> RAM_PAGE_SHIFT);
    memset(ram->dirty, 1, ram->size >> RAM_PAGE_SHIFT);
}

void ram_wrote(Ram *ram, uint64_t offset, uint64_t length)
{
    if (length == 0)
        return;
    g_return_if_fail(offset < ram->size && length <= ram->size - offset);

    uint64_t first = offset >> RAM_PAGE_SHIFT, last = (offset + length - 1) >> RAM_PAGE_SHIFT;
    bool has_code = false;

    /* A CPU that decodes a page sets code[] first and reads the bytes then; the caller wrote the
     * bytes first and we read code[] then. With a full fence on both sides one of us sees the
     * other. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint64_t page = first; page <= last; page++) {
        if (ram->dirty)
            __atomic_store_n(&ram->dirty[page], 1, __ATOMIC_RELEASE);
        has_code |= __atomic_load_n(&ram->code[page], __ATOMIC_RELAXED) != 0;
    }
    if (has_code && ram->on_code_written)
        ram->on_code_written(ram->opaque, ram, offset, length);
}
