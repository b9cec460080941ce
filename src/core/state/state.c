/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/state/state.h"

#include "core/clock/clock.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

/* A blob: version, fingerprint of the table, payload length (each 32 bits, little-endian), then the
 * fields in table order, numbers little-endian in their own size. */
#define STATE_HEADER_SIZE 12

static uint32_t fingerprint_bytes(uint32_t hash, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT32_C(16777619); /* FNV-1a */
    return hash;
}

static bool field_is_raw(const StateField *field)
{
    return field->kind == STATE_KIND_UINT || field->kind == STATE_KIND_BYTES;
}

/* Changes when a field is added, renamed or resized: a table that was edited without a new version
 * does not load bytes of the old one into the wrong places. */
static uint32_t state_fingerprint(const StateField *fields, uint32_t hash)
{
    for (const StateField *field = fields; field->kind != STATE_KIND_END; field++) {
        uint32_t shape[3] = { field->kind, field_is_raw(field) ? (uint32_t)field->size : 0,
                              (uint32_t)field->count };
        hash = fingerprint_bytes(hash, field->name, strlen(field->name) + 1);
        hash = fingerprint_bytes(hash, shape, sizeof(shape));
        if (field->kind == STATE_KIND_STRUCT)
            hash = state_fingerprint(field->fields, hash);
    }
    return hash;
}

static size_t state_payload_size(const StateField *fields)
{
    size_t size = 0;

    for (const StateField *field = fields; field->kind != STATE_KIND_END; field++) {
        switch (field->kind) {
        case STATE_KIND_UINT:
        case STATE_KIND_BYTES: size += field->size * field->count; break;
        case STATE_KIND_BOOL: size += field->count; break;
        case STATE_KIND_TIMER: size += 8 * field->count; break;
        case STATE_KIND_STRUCT: size += state_payload_size(field->fields) * field->count; break;
        case STATE_KIND_END: break;
        }
    }
    return size;
}

static void put_number(GByteArray *out, uint64_t value, size_t size)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    g_byte_array_append(out, bytes, (guint)size);
}

static uint64_t get_number(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

static uint64_t load_uint(const void *at, size_t size)
{
    switch (size) {
    case 1: return *(const uint8_t *)at;
    case 2: return *(const uint16_t *)at;
    case 4: return *(const uint32_t *)at;
    default: return *(const uint64_t *)at;
    }
}

static void store_uint(void *at, size_t size, uint64_t value)
{
    switch (size) {
    case 1: *(uint8_t *)at = (uint8_t)value; break;
    case 2: *(uint16_t *)at = (uint16_t)value; break;
    case 4: *(uint32_t *)at = (uint32_t)value; break;
    default: *(uint64_t *)at = value;
    }
}

static void save_fields(const uint8_t *object, const StateField *fields, GByteArray *out)
{
    for (const StateField *field = fields; field->kind != STATE_KIND_END; field++) {
        for (size_t i = 0; i < field->count; i++) {
            const uint8_t *at = object + field->offset + i * field->size;
            switch (field->kind) {
            case STATE_KIND_UINT: put_number(out, load_uint(at, field->size), field->size); break;
            case STATE_KIND_BOOL: put_number(out, *(const bool *)at, 1); break;
            case STATE_KIND_BYTES: g_byte_array_append(out, at, (guint)field->size); break;
            case STATE_KIND_TIMER: put_number(out, ((const ClockTimer *)at)->deadline_ns, 8); break;
            case STATE_KIND_STRUCT: save_fields(at, field->fields, out); break;
            case STATE_KIND_END: break;
            }
        }
    }
}

void state_save(const void *object, const StateField *fields, unsigned version, GByteArray *out)
{
    put_number(out, version, 4);
    put_number(out, state_fingerprint(fields, UINT32_C(2166136261)), 4);
    put_number(out, state_payload_size(fields), 4);
    save_fields(object, fields, out);
}

/* Walks the payload once without touching the object. */
static bool check_fields(const StateField *fields, const uint8_t **bytes, GError **error)
{
    for (const StateField *field = fields; field->kind != STATE_KIND_END; field++) {
        for (size_t i = 0; i < field->count; i++) {
            uint64_t value, max = field->max;
            size_t size = field->size;
            switch (field->kind) {
            case STATE_KIND_BOOL: size = 1; max = 1; /* fall through */
            case STATE_KIND_UINT:
                value = get_number(*bytes, size);
                if (max && value > max) {
                    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                                _("Saved state is damaged: %s is %llu, at most %llu is possible"),
                                field->name, (unsigned long long)value, (unsigned long long)max);
                    return false;
                }
                *bytes += size;
                break;
            case STATE_KIND_BYTES: *bytes += size; break;
            case STATE_KIND_TIMER: *bytes += 8; break;
            case STATE_KIND_STRUCT:
                if (!check_fields(field->fields, bytes, error)) {
                    g_prefix_error(error, "%s: ", field->name);
                    return false;
                }
                break;
            case STATE_KIND_END: break;
            }
        }
    }
    return true;
}

static void load_fields(uint8_t *object, const StateField *fields, const uint8_t **bytes)
{
    for (const StateField *field = fields; field->kind != STATE_KIND_END; field++) {
        for (size_t i = 0; i < field->count; i++) {
            uint8_t *at = object + field->offset + i * field->size;
            switch (field->kind) {
            case STATE_KIND_UINT:
                store_uint(at, field->size, get_number(*bytes, field->size));
                *bytes += field->size;
                break;
            case STATE_KIND_BOOL: *(bool *)at = *(*bytes)++ != 0; break;
            case STATE_KIND_BYTES:
                memcpy(at, *bytes, field->size);
                *bytes += field->size;
                break;
            case STATE_KIND_TIMER:
                clock_timer_set((ClockTimer *)at, get_number(*bytes, 8));
                *bytes += 8;
                break;
            case STATE_KIND_STRUCT: load_fields(at, field->fields, bytes); break;
            case STATE_KIND_END: break;
            }
        }
    }
}

bool state_load(void *object, const StateField *fields, unsigned version, const uint8_t *bytes,
                size_t length, size_t *out_used, GError **error)
{
    size_t payload = state_payload_size(fields);

    if (length < STATE_HEADER_SIZE) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    _("Saved state is cut short: %zu bytes where a header should be"), length);
        return false;
    }
    if (get_number(bytes, 4) != version ||
        get_number(bytes + 4, 4) != state_fingerprint(fields, UINT32_C(2166136261))) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                    _("Saved state is of version %u with other fields; this program reads "
                      "version %u"),
                    (unsigned)get_number(bytes, 4), version);
        return false;
    }
    if (get_number(bytes + 8, 4) != payload || length - STATE_HEADER_SIZE < payload) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                    _("Saved state is cut short: %zu of %zu bytes"), length,
                    STATE_HEADER_SIZE + payload);
        return false;
    }

    const uint8_t *cursor = bytes + STATE_HEADER_SIZE;
    if (!check_fields(fields, &cursor, error))
        return false;
    cursor = bytes + STATE_HEADER_SIZE;
    load_fields(object, fields, &cursor);
    *out_used = STATE_HEADER_SIZE + payload;
    return true;
}
