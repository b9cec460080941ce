/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/firmware/smbios.h"

#include <string.h>

#define ANCHOR_SIZE 31
#define KIB UINT64_C(1024)
#define FOUR_GIB (UINT64_C(1) << 32)

typedef struct {
    GByteArray *bytes;
    unsigned n;
    guint start;         /* of the structure being written */
    guint largest;       /* structure, with its strings */
    GByteArray *strings; /* of this structure */
    unsigned n_strings;
} Writer;

static void put(Writer *w, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = i < 8 ? value >> (8 * i) : 0;
        g_byte_array_append(w->bytes, &byte, 1);
    }
}

static void begin(Writer *w, uint8_t type, uint16_t handle)
{
    w->start = w->bytes->len;
    w->n_strings = 0;
    g_byte_array_set_size(w->strings, 0);
    put(w, type, 1);
    put(w, 0, 1); /* length of the formatted part */
    put(w, handle, 2);
}

/* Strings follow the formatted part, which holds their numbers. */
static void put_string(Writer *w, const char *text)
{
    g_byte_array_append(w->strings, (const uint8_t *)text, strlen(text) + 1);
    put(w, ++w->n_strings, 1);
}

static void end(Writer *w)
{
    w->bytes->data[w->start + 1] = w->bytes->len - w->start;
    g_byte_array_append(w->bytes, w->strings->data, w->strings->len);
    put(w, 0, w->n_strings ? 1 : 2);
    w->largest = MAX(w->largest, w->bytes->len - w->start);
    w->n++;
}

static void build_bios(Writer *w)
{
    begin(w, 0, 0x000);
    put_string(w, "Vitrine");
    put_string(w, "1");
    put(w, 0xE800, 2);
    put_string(w, "01/01/2024");
    put(w, 0, 1);
    put(w, 1 << 3, 8); /* characteristics are not told … */
    put(w, 0, 1);
    put(w, 1 << 4 | 1 << 2, 1); /* … but that this is a virtual machine */
    put(w, 0, 2);
    put(w, 0xFFFF, 2);
    end(w);
}

static void build_system(Writer *w, const SmbiosConfig *config)
{
    begin(w, 1, 0x100);
    put_string(w, "Vitrine");
    put_string(w, "Vitrine PC (Q35, ICH9)");
    put_string(w, "1");
    put(w, 0, 1);
    /* The first three fields of a UUID are little-endian here (DSP0134 §7.2.1). */
    static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    for (unsigned i = 0; i < 16; i++)
        put(w, config->uuid[order[i]], 1);
    put(w, 6, 1); /* woken by the power switch */
    put(w, 0, 1);
    put(w, 0, 1);
    end(w);
}

static void build_chassis(Writer *w)
{
    begin(w, 3, 0x300);
    put_string(w, "Vitrine");
    put(w, 1, 1); /* other */
    put(w, 0, 1 + 1 + 1);
    put(w, 0x03030303, 4); /* states: safe, safe, safe; security: none */
    put(w, 0, 4 + 1 + 1 + 1 + 1);
    put(w, 0, 1);
    end(w);
}

static void build_processor(Writer *w, unsigned i)
{
    g_autofree char *socket = g_strdup_printf("CPU %u", i);

    begin(w, 4, 0x400 + i);
    put_string(w, socket);
    put(w, 3, 1); /* central processor */
    put(w, 1, 1); /* family: other */
    put_string(w, "Vitrine");
    put(w, 0, 8); /* CPUID is the CPU's to tell */
    put_string(w, "1");
    put(w, 0, 1 + 2);
    put(w, 2000, 2);
    put(w, 2000, 2);
    put(w, 0x41, 1); /* populated, enabled */
    put(w, 1, 1);
    put(w, 0xFFFF, 2); /* no cache structures */
    put(w, 0xFFFF, 2);
    put(w, 0xFFFF, 2);
    put(w, 0, 3);
    put(w, 1, 1); /* cores, enabled, threads */
    put(w, 1, 1);
    put(w, 1, 1);
    put(w, 1 << 2, 2); /* 64-bit */
    put(w, 1, 2);
    end(w);
}

static void build_memory_array(Writer *w, uint64_t memory)
{
    begin(w, 16, 0x1000);
    put(w, 3, 1); /* system board */
    put(w, 3, 1); /* system memory */
    put(w, 3, 1); /* no error correction */
    if (memory / KIB < 0x80000000) {
        put(w, memory / KIB, 4);
        put(w, 0xFFFE, 2);
        put(w, 1, 2);
        put(w, 0, 8);
    } else {
        put(w, 0x80000000, 4);
        put(w, 0xFFFE, 2);
        put(w, 1, 2);
        put(w, memory, 8);
    }
    end(w);
}

static void build_memory_device(Writer *w, uint64_t memory)
{
    uint64_t mib = memory / KIB / KIB;

    begin(w, 17, 0x1100);
    put(w, 0x1000, 2);
    put(w, 0xFFFE, 2);
    put(w, 0xFFFF, 2); /* widths unknown */
    put(w, 0xFFFF, 2);
    put(w, mib < 0x7FFF ? mib : 0x7FFF, 2);
    put(w, 9, 1); /* DIMM */
    put(w, 0, 1);
    put_string(w, "DIMM 0");
    put(w, 0, 1);
    put(w, 7, 1); /* RAM */
    put(w, 1 << 1, 2);
    put(w, 0, 2);
    put_string(w, "Vitrine");
    put(w, 0, 3);
    put(w, 0, 1);
    put(w, mib < 0x7FFF ? 0 : mib, 4);
    put(w, 0, 2 + 2 + 2 + 2);
    end(w);
}

static void build_mapped_range(Writer *w, unsigned i, uint64_t start, uint64_t end_address)
{
    bool wide = (end_address - 1) / KIB >= 0xFFFFFFFF;

    begin(w, 19, 0x1300 + i);
    put(w, wide ? 0xFFFFFFFF : start / KIB, 4);
    put(w, wide ? 0xFFFFFFFF : (end_address - 1) / KIB, 4);
    put(w, 0x1000, 2);
    put(w, 1, 1);
    put(w, wide ? start : 0, 8);
    put(w, wide ? end_address - 1 : 0, 8);
    end(w);
}

static void set_sum(uint8_t *bytes, unsigned length, unsigned at)
{
    uint8_t sum = 0;

    bytes[at] = 0;
    for (unsigned i = 0; i < length; i++)
        sum += bytes[i];
    bytes[at] = -sum;
}

void smbios_anchor_place(GByteArray *anchor, uint32_t tables_gpa)
{
    uint8_t *a = anchor->data;

    for (unsigned i = 0; i < 4; i++)
        a[24 + i] = tables_gpa >> (8 * i);
    set_sum(a + 16, 15, 5);
    set_sum(a, ANCHOR_SIZE, 4);
}

static GByteArray *build_anchor(const Writer *w)
{
    uint8_t a[ANCHOR_SIZE] = { '_', 'S', 'M', '_', 0, ANCHOR_SIZE, 2, 8 };
    GByteArray *anchor = g_byte_array_new();

    a[8] = w->largest;
    a[9] = w->largest >> 8;
    memcpy(a + 16, "_DMI_", 5);
    a[22] = w->bytes->len;
    a[23] = w->bytes->len >> 8;
    a[28] = w->n;
    a[29] = w->n >> 8;
    a[30] = 0x28;
    g_byte_array_append(anchor, a, sizeof a);
    smbios_anchor_place(anchor, 0);
    return anchor;
}

void smbios_build(const SmbiosConfig *config, GByteArray **out_anchor, GByteArray **out_tables)
{
    Writer w = { .bytes = g_byte_array_new(), .strings = g_byte_array_new() };

    build_bios(&w);
    build_system(&w, config);
    build_chassis(&w);
    for (unsigned i = 0; i < config->n_cpus; i++)
        build_processor(&w, i);
    build_memory_array(&w, config->memory_bytes);
    build_memory_device(&w, config->memory_bytes);
    build_mapped_range(&w, 0, 0, config->low_ram_end);
    if (config->memory_bytes > config->low_ram_end)
        build_mapped_range(&w, 1, FOUR_GIB, FOUR_GIB + config->memory_bytes - config->low_ram_end);
    begin(&w, 32, 0x2000);
    put(&w, 0, 6 + 1); /* reserved; no errors detected */
    end(&w);
    begin(&w, 127, 0x7F00);
    end(&w);
    *out_anchor = build_anchor(&w);
    g_byte_array_unref(w.strings);
    *out_tables = w.bytes;
}
