/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "cli/json.h"
#include <math.h>
#include <stdio.h>

void json_begin(Json *json)
{
    *json = (Json){ .text = g_string_new(NULL) };
}

void json_end(Json *json)
{
    puts(json->text->str);
    g_string_free(json->text, TRUE);
    json->text = NULL;
}

static void append_quoted(GString *text, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value, -1);
    g_string_append_c(text, '"');
    for (const char *at = valid; *at; at++) {
        if (*at == '"' || *at == '\\')
            g_string_append_printf(text, "\\%c", *at);
        else if (*at == '\n')
            g_string_append(text, "\\n");
        else if ((unsigned char)*at < 0x20 || *at == 0x7f)
            g_string_append_printf(text, "\\u%04x", *at);
        else
            g_string_append_c(text, *at);
    }
    g_string_append_c(text, '"');
}

static void new_line(Json *json)
{
    g_string_append_c(json->text, '\n');
    for (unsigned i = 0; i < json->depth; i++)
        g_string_append(json->text, "  ");
}

static void begin_item(Json *json, const char *key)
{
    if (json->has_items)
        g_string_append_c(json->text, ',');
    if (json->depth > 0)
        new_line(json);
    json->has_items = true;
    if (key) {
        append_quoted(json->text, key);
        g_string_append(json->text, ": ");
    }
}

static void open_group(Json *json, const char *key, char bracket)
{
    begin_item(json, key);
    g_string_append_c(json->text, bracket);
    json->depth++;
    json->has_items = false;
}

static void close_group(Json *json, char bracket)
{
    json->depth--;
    if (json->has_items)
        new_line(json);
    g_string_append_c(json->text, bracket);
    json->has_items = true;
}

void json_open_object(Json *json, const char *key)
{
    open_group(json, key, '{');
}

void json_close_object(Json *json)
{
    close_group(json, '}');
}

void json_open_array(Json *json, const char *key)
{
    open_group(json, key, '[');
}

void json_close_array(Json *json)
{
    close_group(json, ']');
}

void json_string(Json *json, const char *key, const char *value)
{
    begin_item(json, key);
    if (value)
        append_quoted(json->text, value);
    else
        g_string_append(json->text, "null");
}

void json_integer(Json *json, const char *key, int64_t value)
{
    begin_item(json, key);
    g_string_append_printf(json->text, "%" G_GINT64_FORMAT, value);
}

void json_number(Json *json, const char *key, double value)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    begin_item(json, key);
    g_string_append(json->text, isfinite(value)
                                    ? g_ascii_formatd(buffer, sizeof buffer, "%.6g", value)
                                    : "null");
}

void json_bool(Json *json, const char *key, bool value)
{
    begin_item(json, key);
    g_string_append(json->text, value ? "true" : "false");
}

static void dictionary(Json *json, const char *key, GVariant *value)
{
    GVariantIter iter;
    char *name;
    GVariant *item;
    json_open_object(json, key);
    g_variant_iter_init(&iter, value);
    while (g_variant_iter_loop(&iter, "{sv}", &name, &item))
        json_variant(json, name, item);
    json_close_object(json);
}

static void array(Json *json, const char *key, GVariant *value)
{
    json_open_array(json, key);
    for (gsize i = 0; i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) item = g_variant_get_child_value(value, i);
        json_variant(json, NULL, item);
    }
    json_close_array(json);
}

void json_variant(Json *json, const char *key, GVariant *value)
{
    g_autoptr(GVariant) inner = NULL;
    switch (g_variant_classify(value)) {
    case G_VARIANT_CLASS_STRING: json_string(json, key, g_variant_get_string(value, NULL)); break;
    case G_VARIANT_CLASS_BOOLEAN: json_bool(json, key, g_variant_get_boolean(value)); break;
    case G_VARIANT_CLASS_DOUBLE: json_number(json, key, g_variant_get_double(value)); break;
    case G_VARIANT_CLASS_UINT32: json_integer(json, key, g_variant_get_uint32(value)); break;
    case G_VARIANT_CLASS_INT32: json_integer(json, key, g_variant_get_int32(value)); break;
    case G_VARIANT_CLASS_UINT64: json_integer(json, key, g_variant_get_uint64(value)); break;
    case G_VARIANT_CLASS_INT64: json_integer(json, key, g_variant_get_int64(value)); break;
    case G_VARIANT_CLASS_VARIANT:
        inner = g_variant_get_variant(value);
        json_variant(json, key, inner);
        break;
    case G_VARIANT_CLASS_ARRAY:
        if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
            dictionary(json, key, value);
        else
            array(json, key, value);
        break;
    default: json_string(json, key, NULL); break;
    }
}
