/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Guest-visible state, described once a device as a table of fields, and the save and load that
 * walk it. A saved state is untrusted input: state_load() checks version, length and ranges of the
 * whole blob before it changes one field. Included by every device (through device.h). */

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    STATE_KIND_END,
    STATE_KIND_UINT, /* size 1, 2, 4 or 8 */
    STATE_KIND_BOOL,
    STATE_KIND_BYTES,  /* size bytes as they are */
    STATE_KIND_STRUCT, /* count × a struct of @size bytes described by @fields */
    STATE_KIND_TIMER,  /* a ClockTimer: its deadline, or not armed */
} StateKind;

typedef struct StateField {
    const char *name;
    StateKind kind;
    size_t offset, size;             /* of one element in the struct */
    size_t count;                    /* elements; 1 for a scalar */
    const struct StateField *fields; /* STRUCT */
    uint64_t max;                    /* UINT: greatest value that may be loaded; 0: any */
} StateField;

#define STATE_SIZEOF(type, field) sizeof(((type *)0)->field)
/* A number, or an array of numbers. */
#define STATE_UINT(type, field)                                                                    \
    {                                                                                              \
#field, STATE_KIND_UINT, offsetof(type, field), STATE_SIZEOF(type, field), 1, NULL, 0      \
    }
/* A number that indexes something: values above @greatest are refused on load. */
#define STATE_UINT_MAX(type, field, greatest)                                                      \
    {                                                                                              \
#field, STATE_KIND_UINT, offsetof(type, field), STATE_SIZEOF(type, field), 1, NULL,        \
            (greatest)                                                                             \
    }
#define STATE_ARRAY(type, field)                                                                   \
    {                                                                                              \
#field, STATE_KIND_UINT, offsetof(type, field), STATE_SIZEOF(type, field[0]),              \
            STATE_SIZEOF(type, field) / STATE_SIZEOF(type, field[0]), NULL, 0                      \
    }
#define STATE_BOOL(type, field)                                                                    \
    {                                                                                              \
#field, STATE_KIND_BOOL, offsetof(type, field), sizeof(bool), 1, NULL, 1                   \
    }
#define STATE_BYTES(type, field)                                                                   \
    {                                                                                              \
#field, STATE_KIND_BYTES, offsetof(type, field), STATE_SIZEOF(type, field), 1, NULL, 0     \
    }
#define STATE_STRUCTS(type, field, table)                                                          \
    {                                                                                              \
#field, STATE_KIND_STRUCT, offsetof(type, field), STATE_SIZEOF(type, field[0]),            \
            STATE_SIZEOF(type, field) / STATE_SIZEOF(type, field[0]), (table), 0                   \
    }
#define STATE_STRUCT(type, field, table)                                                           \
    {                                                                                              \
#field, STATE_KIND_STRUCT, offsetof(type, field), STATE_SIZEOF(type, field), 1, (table), 0 \
    }
#define STATE_TIMER(type, field)                                                                   \
    {                                                                                              \
#field, STATE_KIND_TIMER, offsetof(type, field), STATE_SIZEOF(type, field), 1, NULL, 0     \
    }
#define STATE_END                                                                                  \
    {                                                                                              \
        NULL, STATE_KIND_END, 0, 0, 0, NULL, 0                                                     \
    }

/* Appends the state of @object, described by @fields, to @out. */
void state_save(const void *object, const StateField *fields, unsigned version, GByteArray *out);

/* Replaces the state of @object by the blob that starts at @bytes; *@out_used gets its length. On
 * failure @object is untouched and @error says which field and why. The caller then calls update.
 */
bool state_load(void *object, const StateField *fields, unsigned version, const uint8_t *bytes,
                size_t length, size_t *out_used, GError **error);
