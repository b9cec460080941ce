/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "model/definition.h"
#include <string.h>

bool size_parse(const char *text, uint64_t *out_bytes)
{
    while (g_ascii_isspace(*text))
        text++;
    /* Digits only: strtod also knows hexadecimals, exponents and infinity. */
    size_t n_digits = strspn(text, "0123456789.");
    g_autofree char *digits = g_strndup(text, n_digits);
    char *rest;
    double number = g_ascii_strtod(digits, &rest);
    if (!g_ascii_isdigit(*text) || *rest)
        return false;
    const char *end = text + n_digits;
    while (g_ascii_isspace(*end))
        end++;
    uint64_t unit = 1;
    if (*end) {
        static const char letters[] = "KMGT";
        const char *letter = strchr(letters, g_ascii_toupper(*end));
        if (letter) {
            unit = UINT64_C(1) << (10 * (letter - letters + 1));
            end++;
            if (*end == 'i')
                end++;
        }
        if (*end == 'B' || *end == 'b')
            end++;
    }
    while (g_ascii_isspace(*end))
        end++;
    if (*end || !(number * unit < 9e18))
        return false;
    *out_bytes = (uint64_t)(number * unit + 0.5);
    return true;
}

char *size_format(uint64_t bytes)
{
    static const char *units[] = { "T", "G", "M", "K" };
    for (unsigned i = 0; i < 4; i++) {
        uint64_t unit = (UINT64_C(1) << 40) >> (10 * i);
        if (bytes >= unit && bytes % unit == 0)
            return g_strdup_printf("%" G_GUINT64_FORMAT "%s", bytes / unit, units[i]);
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT, bytes);
}
