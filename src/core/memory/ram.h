/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A block of guest memory: main memory, video memory, a ROM image. Backed by a sealed memfd, so
 * that another process can map the same pages (the front end maps video memory). Included by
 * whoever maps memory into an address space and by the CPU backends. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define RAM_PAGE_SHIFT 12
#define RAM_PAGE_SIZE (1u << RAM_PAGE_SHIFT)

typedef struct Ram {
    char *name;    /* owned; unique in a machine, names the block in a saved state */
    int fd;        /* owned memfd, sealed against shrinking and growing */
    uint8_t *host; /* the mapping; lives as long as the block */
    uint64_t size; /* a multiple of RAM_PAGE_SIZE */

    /* One byte a page. dirty[p] != 0: page p may have changed since the last ram_take_dirty().
     * NULL when nobody asked (ram_enable_dirty_log). Set by CPUs and DMA, cleared by the taker. */
    uint8_t *dirty;
    /* One byte a page. code[p] != 0: some CPU holds decoded instructions of page p, so a write must
     * go through ram_wrote() (software CPUs see to it for their own stores). */
    uint8_t *code;
    /* Called after a write from outside the CPUs touched a page whose code[] byte is set; any
     * thread. */
    void (*on_code_written)(void *opaque, struct Ram *ram, uint64_t offset, uint64_t length);
    void *opaque;
} Ram;

/* Creates a zero-filled block of @size_bytes (rounded up to pages). NULL and @error when the host
 * cannot provide it; the message names the size and what is available. */
Ram *ram_new(const char *name, uint64_t size_bytes, GError **error);
void ram_free(Ram *ram);

/* Starts to keep Ram.dirty; all pages begin dirty. Before any CPU runs. */
void ram_enable_dirty_log(Ram *ram);

/* Tells the block that host code (DMA, firmware loading, a device) has just written the bytes
 * [@offset, @offset + @length): marks them dirty and drops CPUs' decoded copies. Any thread. */
void ram_wrote(Ram *ram, uint64_t offset, uint64_t length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Ram, ram_free)
