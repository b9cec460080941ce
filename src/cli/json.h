/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* JSON on stdout, for --json: indented, keys in the order given. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    GString *text;
    unsigned depth;
    bool has_items;
} Json;

void json_begin(Json *json);
void json_end(Json *json); /* prints it with a newline, and frees it */

/* @key NULL in arrays and at the top. */
void json_open_object(Json *json, const char *key);
void json_close_object(Json *json);
void json_open_array(Json *json, const char *key);
void json_close_array(Json *json);
void json_string(Json *json, const char *key, const char *value); /* NULL: null */
void json_integer(Json *json, const char *key, int64_t value);
void json_number(Json *json, const char *key, double value);
void json_bool(Json *json, const char *key, bool value);
/* Any basic or container value of D-Bus. */
void json_variant(Json *json, const char *key, GVariant *value);
