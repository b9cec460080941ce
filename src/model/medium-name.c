/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "model/medium-name.h"
#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define LONGEST_ABBREVIATION 3
#define LONGEST_EXTENSION 6 /* with its dot */

/* What programs write when nobody named the disc. */
static const char *const empty_names[] = { "cd rom",     "cdrom",    "disc",    "disk",
                                           "dvd",        "dvd rom",  "dvdrom",  "iso",
                                           "iso image",  "isoimage", "my disc", "new",
                                           "new volume", "no name",  "noname",  "unknown",
                                           "untitled",   "volume",   NULL };

/* What stands between words becomes one space; none at the ends. */
static char *dup_spaced(const char *text, const char *between)
{
    g_auto(GStrv) words = g_strsplit_set(text, between, -1);
    g_autoptr(GString) spaced = g_string_new(NULL);
    for (unsigned i = 0; words[i]; i++)
        if (*words[i])
            g_string_append_printf(spaced, "%s%s", spaced->len > 0 ? " " : "", words[i]);
    return g_string_free(g_steal_pointer(&spaced), FALSE);
}

static bool has_lower_case(const char *text)
{
    for (; *text; text = g_utf8_next_char(text))
        if (g_unichar_islower(g_utf8_get_char(text)))
            return true;
    return false;
}

static bool is_abbreviation(const char *word)
{
    return g_utf8_strlen(word, -1) <= LONGEST_ABBREVIATION || strpbrk(word, "0123456789");
}

/* As a sentence begins: "VITRINE DEMO CD" → "Vitrine demo CD". */
static char *dup_sentence(const char *shouted)
{
    g_auto(GStrv) words = g_strsplit(shouted, " ", -1);
    for (unsigned i = 0; words[i]; i++) {
        if (is_abbreviation(words[i]))
            continue;
        const char *rest = i == 0 ? g_utf8_next_char(words[i]) : words[i];
        g_autofree char *lower = g_utf8_strdown(rest, -1);
        char *word = g_strdup_printf("%.*s%s", (int)(rest - words[i]), words[i], lower);
        g_free(words[i]);
        words[i] = word;
    }
    return g_strjoinv(" ", words);
}

char *medium_dup_name_of_label(const char *label)
{
    g_autofree char *valid = g_utf8_make_valid(label ? label : "", -1);
    g_autofree char *spaced = dup_spaced(valid, "_ \t");
    g_autofree char *folded = g_utf8_strdown(spaced, -1);
    if (!*spaced || g_strv_contains(empty_names, folded))
        return NULL;
    return has_lower_case(spaced) ? g_steal_pointer(&spaced) : dup_sentence(spaced);
}

char *medium_dup_name_of_file(const char *path)
{
    g_autofree char *base = g_path_get_basename(path);
    char *dot = strrchr(base, '.');
    if (dot && dot != base && strlen(dot) <= LONGEST_EXTENSION)
        *dot = '\0';
    g_autofree char *valid = g_utf8_make_valid(base, -1);
    g_autofree char *spaced = dup_spaced(valid, "-_ ");
    return *spaced ? g_steal_pointer(&spaced) : NULL;
}
