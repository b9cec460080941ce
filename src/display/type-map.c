/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/type-map.h"
#include "display/keymap.h"
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <linux/input-event-codes.h>
#include <xkbcommon/xkbcommon.h>

#define XKB_EVDEV_OFFSET 8

const TypeLayout type_layouts[] = {
    { "us", "", N_("English (US)") },
    { "gb", "", N_("English (UK)") },
    { "de", "", N_("German") },
    { "at", "", N_("German (Austria)") },
    { "ch", "de", N_("German (Switzerland)") },
    { "fr", "", N_("French") },
    { "be", "", N_("Belgian") },
    { "ch", "fr", N_("French (Switzerland)") },
    { "ca", "fr", N_("French (Canada)") },
    { "es", "", N_("Spanish") },
    { "latam", "", N_("Spanish (Latin America)") },
    { "it", "", N_("Italian") },
    { "pt", "", N_("Portuguese") },
    { "br", "", N_("Portuguese (Brazil)") },
    { "dk", "", N_("Danish") },
    { "no", "", N_("Norwegian") },
    { "se", "", N_("Swedish") },
    { "fi", "", N_("Finnish") },
    { "pl", "", N_("Polish") },
    { "cz", "", N_("Czech") },
    { "hu", "", N_("Hungarian") },
    { "tr", "", N_("Turkish") },
    { "ru", "", N_("Russian") },
    { "ua", "", N_("Ukrainian") },
    { "gr", "", N_("Greek") },
    { "jp", "", N_("Japanese") },
    { "us", "dvorak", N_("English (Dvorak)") },
    { NULL, NULL, NULL },
};

/* A dead key, the accent that it puts on what follows, and the accent by itself. */
static const struct {
    xkb_keysym_t keysym;
    gunichar mark, alone;
} dead_keys[] = {
    { XKB_KEY_dead_grave, 0x300, '`' },      { XKB_KEY_dead_acute, 0x301, 0xb4 },
    { XKB_KEY_dead_circumflex, 0x302, '^' }, { XKB_KEY_dead_tilde, 0x303, '~' },
    { XKB_KEY_dead_macron, 0x304, 0xaf },    { XKB_KEY_dead_breve, 0x306, 0x2d8 },
    { XKB_KEY_dead_abovedot, 0x307, 0x2d9 }, { XKB_KEY_dead_diaeresis, 0x308, 0xa8 },
    { XKB_KEY_dead_abovering, 0x30a, 0xb0 }, { XKB_KEY_dead_doubleacute, 0x30b, 0x2dd },
    { XKB_KEY_dead_caron, 0x30c, 0x2c7 },    { XKB_KEY_dead_cedilla, 0x327, 0xb8 },
    { XKB_KEY_dead_ogonek, 0x328, 0x2db },
};

/* What makes a character: the key's number and what is held with it. */
typedef union {
    struct {
        uint8_t qnum;
        bool shift, alt_gr;
    };
    gpointer packed; /* how the tables keep it; never 0, as qnum is not */
} Stroke;

struct TypeMap {
    GHashTable *direct; /* character → Stroke */
    GHashTable *dead;   /* combining mark → Stroke */
};

/* Which of Shift and AltGr give @level of @key; false: others do too, or none. */
static bool level_modifiers(struct xkb_keymap *keymap, xkb_keycode_t key, xkb_level_index_t level,
                            Stroke *stroke)
{
    xkb_mod_mask_t masks[16];
    xkb_mod_mask_t shift = 1u << xkb_keymap_mod_get_index(keymap, XKB_MOD_NAME_SHIFT);
    xkb_mod_mask_t level_3 = 1u << xkb_keymap_mod_get_index(keymap, "Mod5");
    size_t n = xkb_keymap_key_get_mods_for_level(keymap, key, 0, level, masks, G_N_ELEMENTS(masks));
    for (size_t i = 0; i < n; i++)
        if ((masks[i] & ~(shift | level_3)) == 0) {
            stroke->shift = masks[i] & shift;
            stroke->alt_gr = masks[i] & level_3;
            return true;
        }
    return false;
}

static void map_insert(GHashTable *table, gunichar character, Stroke stroke)
{
    if (!g_hash_table_contains(table, GUINT_TO_POINTER(character)))
        g_hash_table_insert(table, GUINT_TO_POINTER(character), stroke.packed);
}

static void map_add_symbol(TypeMap *map, xkb_keysym_t keysym, Stroke stroke)
{
    for (size_t i = 0; i < G_N_ELEMENTS(dead_keys); i++)
        if (dead_keys[i].keysym == keysym)
            map_insert(map->dead, dead_keys[i].mark, stroke);
    gunichar character = xkb_keysym_to_utf32(keysym);
    if (character >= ' ' && character != 0x7f)
        map_insert(map->direct, character, stroke);
}

/* The main block only: what the keypad makes depends on Num Lock. */
static bool is_typing_key(unsigned evdev)
{
    return (evdev >= KEY_1 && evdev <= KEY_EQUAL) || (evdev >= KEY_Q && evdev <= KEY_RIGHTBRACE) ||
           (evdev >= KEY_A && evdev <= KEY_GRAVE) ||
           (evdev >= KEY_BACKSLASH && evdev <= KEY_SLASH) || evdev == KEY_SPACE ||
           evdev == KEY_102ND || evdev == KEY_RO || evdev == KEY_YEN;
}

/* Plain keys before those with Shift before those with AltGr: the simplest stroke wins. */
static void map_fill(TypeMap *map, struct xkb_keymap *keymap)
{
    for (xkb_level_index_t level = 0; level < 4; level++)
        for (unsigned evdev = KEY_1; evdev <= KEY_YEN; evdev++) {
            const xkb_keysym_t *symbols;
            xkb_keycode_t key = evdev + XKB_EVDEV_OFFSET;
            Stroke stroke = { .packed = NULL };
            stroke.qnum = (uint8_t)keymap_qnum_from_evdev(evdev);
            if (!is_typing_key(evdev) || level >= xkb_keymap_num_levels_for_key(keymap, key, 0) ||
                !level_modifiers(keymap, key, level, &stroke))
                continue;
            int n = xkb_keymap_key_get_syms_by_level(keymap, key, 0, level, &symbols);
            if (n == 1)
                map_add_symbol(map, symbols[0], stroke);
        }
    static const struct {
        gunichar character;
        unsigned evdev;
    } controls[] = { { '\n', KEY_ENTER }, { '\t', KEY_TAB } };
    for (size_t i = 0; i < G_N_ELEMENTS(controls); i++) {
        Stroke stroke = { .packed = NULL };
        stroke.qnum = (uint8_t)keymap_qnum_from_evdev(controls[i].evdev);
        map_insert(map->direct, controls[i].character, stroke);
    }
}

TypeMap *type_map_new(const TypeLayout *layout, GError **error)
{
    const struct xkb_rule_names names = { "evdev", "pc105", layout->layout, layout->variant, "" };
    struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
    struct xkb_keymap *keymap =
        context ? xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS) : NULL;
    TypeMap *map = NULL;
    if (keymap) {
        map = g_new0(TypeMap, 1);
        map->direct = g_hash_table_new(NULL, NULL);
        map->dead = g_hash_table_new(NULL, NULL);
        map_fill(map, keymap);
    } else {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    _("This computer does not know the keyboard layout “%s”"), layout->layout);
    }
    xkb_keymap_unref(keymap);
    xkb_context_unref(context);
    return map;
}

void type_map_free(TypeMap *map)
{
    if (!map)
        return;
    g_hash_table_unref(map->direct);
    g_hash_table_unref(map->dead);
    g_free(map);
}

static bool map_find(GHashTable *table, gunichar character, Stroke *out)
{
    out->packed = g_hash_table_lookup(table, GUINT_TO_POINTER(character));
    return out->packed != NULL;
}

static void append_key(GArray *keys, uint32_t key)
{
    g_array_append_val(keys, key);
}

static void append_stroke(GArray *keys, Stroke stroke)
{
    uint32_t shift = keymap_qnum_from_evdev(KEY_LEFTSHIFT),
             alt_gr = keymap_qnum_from_evdev(KEY_RIGHTALT);
    if (stroke.shift)
        append_key(keys, shift);
    if (stroke.alt_gr)
        append_key(keys, alt_gr);
    append_key(keys, stroke.qnum);
    append_key(keys, stroke.qnum | TYPE_KEY_RELEASE);
    if (stroke.alt_gr)
        append_key(keys, alt_gr | TYPE_KEY_RELEASE);
    if (stroke.shift)
        append_key(keys, shift | TYPE_KEY_RELEASE);
}

/* “ê” as the dead circumflex and “e”; “^” as the dead one and a space. */
static bool find_composed(const TypeMap *map, gunichar character, Stroke *out_dead,
                          Stroke *out_base)
{
    gunichar base, mark;
    if (g_unichar_decompose(character, &base, &mark) && mark)
        return map_find(map->dead, mark, out_dead) && map_find(map->direct, base, out_base);
    for (size_t i = 0; i < G_N_ELEMENTS(dead_keys); i++)
        if (dead_keys[i].alone == character)
            return map_find(map->dead, dead_keys[i].mark, out_dead) &&
                   map_find(map->direct, ' ', out_base);
    return false;
}

bool type_map_append(const TypeMap *map, gunichar character, GArray *keys)
{
    Stroke stroke, dead;
    if (map_find(map->direct, character, &stroke)) {
        append_stroke(keys, stroke);
        return true;
    }
    if (!find_composed(map, character, &dead, &stroke))
        return false;
    append_stroke(keys, dead);
    append_stroke(keys, stroke);
    return true;
}
