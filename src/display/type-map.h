/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Text as the key strokes that make it on a guest's keyboard layout: which key, with Shift or
 * AltGr, after which dead key. The layouts are those of the host's xkeyboard-config. Included by
 * the dialog that types the clipboard. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct TypeMap TypeMap;

/* Layouts that can be chosen; ends with a NULL name. @name is to be translated. */
typedef struct {
    const char *layout, *variant; /* as xkeyboard-config has them */
    const char *name;
} TypeLayout;

extern const TypeLayout type_layouts[];

/* Added to a key's number for its release, as org.vitrine.Machine1.TypeKeys wants it. */
#define TYPE_KEY_RELEASE 0x100u

/* G_IO_ERROR_NOT_FOUND when the host has no such layout. */
TypeMap *type_map_new(const TypeLayout *layout, GError **error);
void type_map_free(TypeMap *map);
/* Appends what types @character to @keys (of uint32_t): nothing stays pressed. False, and nothing
 * appended, when the layout has no way to make it. */
bool type_map_append(const TypeMap *map, gunichar character, GArray *keys);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(TypeMap, type_map_free)
