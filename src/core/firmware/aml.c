/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/firmware/aml.h"

#include <string.h>

void aml_init(Aml *aml)
{
    aml->bytes = g_byte_array_new();
    aml->open = g_array_new(FALSE, FALSE, sizeof(guint));
}

void aml_clear(Aml *aml)
{
    g_clear_pointer(&aml->bytes, g_byte_array_unref);
    g_clear_pointer(&aml->open, g_array_unref);
}

static void put(GByteArray *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = value >> (8 * i);
        g_byte_array_append(to, &byte, 1);
    }
}

void aml_op(Aml *aml, uint8_t opcode)
{
    put(aml->bytes, opcode, 1);
}

/* A segment is four characters, padded with underscores. */
static void put_segment(Aml *aml, const char *segment, size_t length)
{
    char padded[4] = { '_', '_', '_', '_' };

    g_assert(length >= 1 && length <= 4);
    memcpy(padded, segment, length);
    g_byte_array_append(aml->bytes, (const uint8_t *)padded, 4);
}

void aml_path(Aml *aml, const char *path)
{
    while (*path == '\\' || *path == '^')
        aml_op(aml, *path++);
    g_auto(GStrv) segments = g_strsplit(path, ".", -1);
    guint n = g_strv_length(segments);
    if (n == 2) {
        aml_op(aml, 0x2E);
    } else if (n > 2) {
        aml_op(aml, 0x2F);
        aml_op(aml, n);
    } else if (n == 0) {
        aml_op(aml, 0x00);
    }
    for (guint i = 0; i < n; i++)
        put_segment(aml, segments[i], strlen(segments[i]));
}

void aml_int(Aml *aml, uint64_t value)
{
    if (value <= 1) {
        aml_op(aml, value);
    } else if (value <= UINT8_MAX) {
        aml_op(aml, 0x0A);
        put(aml->bytes, value, 1);
    } else if (value <= UINT16_MAX) {
        aml_op(aml, 0x0B);
        put(aml->bytes, value, 2);
    } else if (value <= UINT32_MAX) {
        aml_op(aml, 0x0C);
        put(aml->bytes, value, 4);
    } else {
        aml_op(aml, 0x0E);
        put(aml->bytes, value, 8);
    }
}

void aml_string(Aml *aml, const char *text)
{
    aml_op(aml, 0x0D);
    g_byte_array_append(aml->bytes, (const uint8_t *)text, strlen(text) + 1);
}

void aml_eisa_id(Aml *aml, const char *id)
{
    uint16_t vendor = (id[0] - 0x40) << 10 | (id[1] - 0x40) << 5 | (id[2] - 0x40);
    uint16_t product = 0;

    for (unsigned i = 3; i < 7; i++)
        product = product << 4 | g_ascii_xdigit_value(id[i]);
    aml_op(aml, 0x0C);
    put(aml->bytes, GUINT16_SWAP_LE_BE(vendor) | (uint32_t)GUINT16_SWAP_LE_BE(product) << 16, 4);
}

void aml_uuid(Aml *aml, const char *uuid)
{
    static const uint8_t order[16] = { 6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34 };
    uint8_t bytes[16];

    g_assert(strlen(uuid) == 36);
    for (unsigned i = 0; i < 16; i++)
        bytes[i] =
            g_ascii_xdigit_value(uuid[order[i]]) << 4 | g_ascii_xdigit_value(uuid[order[i] + 1]);
    aml_buffer(aml, bytes, sizeof bytes);
}

static void begin(Aml *aml)
{
    guint start = aml->bytes->len;

    g_array_append_val(aml->open, start);
}

/* PkgLength counts itself, and comes before what it measures (§20.2.4): make room, then fill. */
void aml_end(Aml *aml)
{
    g_assert(aml->open->len > 0);
    guint start = g_array_index(aml->open, guint, aml->open->len - 1);
    g_array_set_size(aml->open, aml->open->len - 1);
    guint content = aml->bytes->len - start;
    guint n = content + 1 <= 0x3F ? 1 : content + 2 <= 0xFFF ? 2 : content + 3 <= 0xFFFFF ? 3 : 4;
    guint length = content + n;

    g_byte_array_set_size(aml->bytes, start + length);
    uint8_t *at = aml->bytes->data + start;
    memmove(at + n, at, content);
    if (n == 1) {
        at[0] = length;
        return;
    }
    at[0] = (n - 1) << 6 | (length & 0xF);
    for (guint i = 1; i < n; i++)
        at[i] = length >> (4 + 8 * (i - 1));
}

void aml_begin_scope(Aml *aml, const char *path)
{
    aml_op(aml, 0x10);
    begin(aml);
    aml_path(aml, path);
}

void aml_begin_device(Aml *aml, const char *name)
{
    aml_op(aml, 0x5B);
    aml_op(aml, 0x82);
    begin(aml);
    aml_path(aml, name);
}

void aml_begin_method(Aml *aml, const char *name, unsigned n_arguments, bool serialized)
{
    aml_op(aml, 0x14);
    begin(aml);
    aml_path(aml, name);
    aml_op(aml, n_arguments | (serialized ? 8 : 0));
}

void aml_begin_if(Aml *aml)
{
    aml_op(aml, 0xA0);
    begin(aml);
}

void aml_begin_else(Aml *aml)
{
    aml_op(aml, 0xA1);
    begin(aml);
}

void aml_begin_package(Aml *aml, unsigned n_elements)
{
    aml_op(aml, 0x12);
    begin(aml);
    aml_op(aml, n_elements);
}

void aml_begin_field(Aml *aml, const char *region, unsigned access)
{
    aml_op(aml, 0x5B);
    aml_op(aml, 0x81);
    begin(aml);
    aml_path(aml, region);
    aml_op(aml, access);
}

void aml_field_unit(Aml *aml, const char *name, unsigned bits)
{
    if (name)
        put_segment(aml, name, strlen(name));
    else
        aml_op(aml, 0x00);
    /* The width has PkgLength's form, but measures bits and nothing encloses it. */
    if (bits <= 0x3F) {
        aml_op(aml, bits);
    } else {
        aml_op(aml, 1 << 6 | (bits & 0xF));
        aml_op(aml, bits >> 4);
    }
}

void aml_name(Aml *aml, const char *name)
{
    aml_op(aml, 0x08);
    aml_path(aml, name);
}

void aml_name_int(Aml *aml, const char *name, uint64_t value)
{
    aml_name(aml, name);
    aml_int(aml, value);
}

void aml_name_eisa_id(Aml *aml, const char *name, const char *id)
{
    aml_name(aml, name);
    aml_eisa_id(aml, id);
}

void aml_name_string(Aml *aml, const char *name, const char *text)
{
    aml_name(aml, name);
    aml_string(aml, text);
}

void aml_region(Aml *aml, const char *name, unsigned space, uint64_t offset, uint64_t length)
{
    aml_op(aml, 0x5B);
    aml_op(aml, 0x80);
    aml_path(aml, name);
    aml_op(aml, space);
    aml_int(aml, offset);
    aml_int(aml, length);
}

void aml_create_dword_field(Aml *aml, uint8_t source, uint64_t index, const char *name)
{
    aml_op(aml, 0x8A);
    aml_op(aml, source);
    aml_int(aml, index);
    aml_path(aml, name);
}

void aml_return(Aml *aml)
{
    aml_op(aml, 0xA4);
}

void aml_store(Aml *aml)
{
    aml_op(aml, 0x70);
}

void aml_equal(Aml *aml)
{
    aml_op(aml, 0x93);
}

void aml_and(Aml *aml)
{
    aml_op(aml, 0x7B);
}

void aml_or(Aml *aml)
{
    aml_op(aml, 0x7D);
}

void aml_no_target(Aml *aml)
{
    aml_op(aml, 0x00);
}

void aml_buffer(Aml *aml, const uint8_t *bytes, size_t length)
{
    aml_op(aml, 0x11);
    begin(aml);
    aml_int(aml, length);
    g_byte_array_append(aml->bytes, bytes, length);
    aml_end(aml);
}

void aml_name_resources(Aml *aml, const char *name, const GByteArray *descriptors)
{
    g_autoptr(GByteArray) whole = g_byte_array_new();

    g_byte_array_append(whole, descriptors->data, descriptors->len);
    put(whole, 0x0079, 2); /* end tag; checksum 0 counts as right */
    aml_name(aml, name);
    aml_buffer(aml, whole->data, whole->len);
}

void resource_io(GByteArray *to, uint16_t first, uint16_t last, uint8_t align, uint8_t length)
{
    put(to, 0x47, 1);
    put(to, 1, 1); /* 16-bit decode */
    put(to, first, 2);
    put(to, last, 2);
    put(to, align, 1);
    put(to, length, 1);
}

void resource_irq(GByteArray *to, unsigned irq)
{
    put(to, 0x22, 1);
    put(to, 1u << irq, 2);
}

void resource_interrupts(GByteArray *to, const uint32_t *gsi, unsigned n)
{
    put(to, 0x89, 1);
    put(to, 2 + 4 * n, 2);
    put(to, 0x09, 1); /* consumer, level, active high, shared */
    put(to, n, 1);
    for (unsigned i = 0; i < n; i++)
        put(to, gsi[i], 4);
}

void resource_memory_fixed(GByteArray *to, uint32_t base, uint32_t length, bool writable)
{
    put(to, 0x86, 1);
    put(to, 9, 2);
    put(to, writable, 1);
    put(to, base, 4);
    put(to, length, 4);
}

/* Address space descriptors: minimum and maximum fixed, positive decode, produced. */
static void put_window(GByteArray *to, unsigned tag, unsigned width, unsigned kind, unsigned flags,
                       uint64_t first, uint64_t last)
{
    put(to, tag, 1);
    put(to, 3 + 5 * width, 2);
    put(to, kind, 1);
    put(to, 0x0C, 1);
    put(to, flags, 1);
    put(to, 0, width); /* granularity */
    put(to, first, width);
    put(to, last, width);
    put(to, 0, width); /* translation */
    put(to, last - first + 1, width);
}

void resource_bus_window(GByteArray *to, uint16_t first, uint16_t last)
{
    put_window(to, 0x88, 2, 2, 0, first, last);
}

void resource_io_window(GByteArray *to, uint16_t first, uint16_t last)
{
    put_window(to, 0x88, 2, 1, 3, first, last); /* whole range, ISA and not */
}

void resource_memory_window(GByteArray *to, uint32_t first, uint32_t last, bool cacheable)
{
    put_window(to, 0x87, 4, 0, cacheable ? 3 : 1, first, last);
}

void resource_memory64_window(GByteArray *to, uint64_t first, uint64_t last)
{
    put_window(to, 0x8A, 8, 0, 3, first, last);
}
