/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "model/definition.h"
#include "base/errors.h"
#include "base/fd.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

/* --- The schema --- */

typedef enum { KEY_TEXT, KEY_UUID, KEY_PATH, KEY_SIZE, KEY_NUMBER, KEY_BOOL, KEY_CHOICE } KeyType;

typedef struct {
    const char *name;
    KeyType type;
    gsize offset; /* in the group's struct */
    bool required;
    const char *initial; /* written form of the default */
    uint64_t min, max;   /* sizes and numbers; length of texts */
    const char *choices; /* "auto|kvm|software": index is the value */
} SchemaKey;

typedef struct {
    const char *name;
    gsize offset; /* of the group's struct in Definition */
    const SchemaKey *keys;
    unsigned n_keys;
    bool optional; /* exists only when the file has it */
} SchemaGroup;

#define FIELD(member) .offset = offsetof(Definition, member)
static const SchemaKey machine_keys[] = {
    { "name", KEY_TEXT, FIELD(name), .required = true, .min = 1, .max = 200 },
    { "uuid", KEY_UUID, FIELD(uuid), .required = true },
    { "os", KEY_TEXT, FIELD(os), .initial = "", .max = 100 },
    { "memory", KEY_SIZE, FIELD(memory_bytes), .initial = "1G", .min = MIB, .max = TIB },
    { "cpus", KEY_NUMBER, FIELD(n_cpus), .initial = "1", .min = 1, .max = DEFINITION_MAX_CPUS },
    { "cpu", KEY_CHOICE, FIELD(cpu), .initial = "auto", .choices = "auto|kvm|software" },
    { "cpu-model", KEY_CHOICE, FIELD(cpu_model), .initial = "auto",
      .choices = "auto|x86-64|x86-64-v2|x86-64-v3|host" },
    { "hyperv", KEY_CHOICE, FIELD(hyperv), .initial = "auto", .choices = "auto|on|off" },
    { "firmware", KEY_CHOICE, FIELD(firmware), .initial = "bios", .choices = "bios|uefi" },
    { "boot", KEY_CHOICE, FIELD(boot), .initial = "cdrom,disk",
      .choices = "cdrom,disk|disk,cdrom" },
    { "boot-menu", KEY_BOOL, FIELD(boot_menu), .initial = "false" },
    { "clock", KEY_CHOICE, FIELD(clock), .initial = "real", .choices = "real|deterministic" },
    { "thumbnail", KEY_BOOL, FIELD(thumbnail), .initial = "true" },
};
static const SchemaKey linux_keys[] = {
    { "kernel", KEY_PATH, FIELD(kernel), .initial = "", .max = 4096 },
    { "initrd", KEY_PATH, FIELD(initrd), .initial = "", .max = 4096 },
    { "command-line", KEY_TEXT, FIELD(command_line), .initial = "", .max = 2048 },
};
#undef FIELD
#define FIELD(member) .offset = offsetof(DefinitionDrive, member)
static const SchemaKey drive_keys[] = {
    { "type", KEY_CHOICE, FIELD(type), .required = true, .choices = "none|disk|cdrom" },
    { "path", KEY_PATH, FIELD(path), .initial = "", .max = 4096 },
    { "read-only", KEY_BOOL, FIELD(read_only), .initial = "false" },
    { "interface", KEY_CHOICE, FIELD(interface), .initial = "ahci", .choices = "ahci|virtio" },
};
#undef FIELD

#define GROUP_DRIVE(n)                                                                             \
    {                                                                                              \
        "drive-" #n, offsetof(Definition, drive[n]), drive_keys, G_N_ELEMENTS(drive_keys), true    \
    }
static const SchemaGroup schema[] = {
    { "machine", 0, machine_keys, G_N_ELEMENTS(machine_keys), false },
    GROUP_DRIVE(0),
    GROUP_DRIVE(1),
    GROUP_DRIVE(2),
    GROUP_DRIVE(3),
    GROUP_DRIVE(4),
    GROUP_DRIVE(5),
    { "linux", 0, linux_keys, G_N_ELEMENTS(linux_keys), true },
};

static void *schema_field(const Definition *definition, const SchemaGroup *group,
                          const SchemaKey *key)
{
    return (char *)definition + group->offset + key->offset;
}

/* --- One value, from text and to text --- */

static int choice_index(const char *choices, const char *text)
{
    g_auto(GStrv) names = g_strsplit(choices, "|", -1);
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}

static char *describe_choices(const char *choices)
{
    g_auto(GStrv) names = g_strsplit(choices, "|", -1);
    return g_strjoinv(", ", names);
}

/* What the key wants, for messages: "a size from 1M to 1T". */
static char *key_describe(const SchemaKey *key)
{
    g_autofree char *low = NULL, *high = NULL, *names = NULL;
    switch (key->type) {
    case KEY_SIZE:
        low = size_format(key->min);
        high = size_format(key->max);
        return g_strdup_printf("a size from %s to %s, such as 512M or 2G", low, high);
    case KEY_NUMBER:
        return g_strdup_printf("a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                               key->min, key->max);
    case KEY_BOOL: return g_strdup("true or false");
    case KEY_CHOICE:
        names = describe_choices(key->choices);
        return g_strdup_printf("one of: %s", names);
    case KEY_UUID: return g_strdup("a UUID such as 7f1f4c1e-3b0d-4d0a-9a53-0c1de2f6a9b4");
    case KEY_TEXT:
    case KEY_PATH:
        return g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                               " characters without control characters",
                               key->min, key->max);
    }
    g_return_val_if_reached(NULL);
}

static bool text_is_plain(const char *text, uint64_t min, uint64_t max)
{
    if (!g_utf8_validate(text, -1, NULL))
        return false;
    uint64_t length = g_utf8_strlen(text, -1);
    if (length < min || length > max)
        return false;
    for (const char *at = text; *at; at = g_utf8_next_char(at))
        if (g_unichar_iscntrl(g_utf8_get_char(at)))
            return false;
    return true;
}

/* Stores @text in @field if it is good. Strings there are freed. */
static bool key_store(const SchemaKey *key, void *field, const char *text)
{
    char **string = field;
    uint64_t number;
    char *end;
    int index;

    switch (key->type) {
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_UUID:
        if (key->type == KEY_UUID ? !g_uuid_string_is_valid(text)
                                  : !text_is_plain(text, key->min, key->max))
            return false;
        g_free(*string);
        *string = key->type == KEY_UUID ? g_ascii_strdown(text, -1) : g_strdup(text);
        return true;
    case KEY_SIZE:
        if (!size_parse(text, &number) || number < key->min || number > key->max)
            return false;
        *(uint64_t *)field = number;
        return true;
    case KEY_NUMBER:
        number = g_ascii_strtoull(text, &end, 10);
        if (!g_ascii_isdigit(*text) || *end || number < key->min || number > key->max)
            return false;
        *(uint64_t *)field = number;
        return true;
    case KEY_BOOL:
        index = choice_index("false|true|no|yes|off|on|0|1", text);
        if (index < 0)
            return false;
        *(bool *)field = index % 2;
        return true;
    case KEY_CHOICE:
        index = choice_index(key->choices, text);
        if (index < 0)
            return false;
        *(int *)field = index;
        return true;
    }
    g_return_val_if_reached(false);
}

static char *key_dup_text(const SchemaKey *key, const void *field)
{
    switch (key->type) {
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_UUID: return g_strdup(*(char *const *)field ? *(char *const *)field : "");
    case KEY_SIZE: return size_format(*(const uint64_t *)field);
    case KEY_NUMBER: return g_strdup_printf("%" G_GUINT64_FORMAT, *(const uint64_t *)field);
    case KEY_BOOL: return g_strdup(*(const bool *)field ? "true" : "false");
    case KEY_CHOICE: {
        g_auto(GStrv) names = g_strsplit(key->choices, "|", -1);
        return g_strdup(names[*(const int *)field]);
    }
    }
    g_return_val_if_reached(NULL);
}

/* --- The whole --- */

static void definition_set_defaults(Definition *definition)
{
    for (unsigned g = 0; g < G_N_ELEMENTS(schema); g++)
        for (unsigned k = 0; k < schema[g].n_keys; k++) {
            const SchemaKey *key = &schema[g].keys[k];
            if (key->initial) {
                bool good = key_store(key, schema_field(definition, &schema[g], key), key->initial);
                g_assert(good);
            }
        }
}

static Definition *definition_alloc(void)
{
    Definition *definition = g_new0(Definition, 1);
    definition->file = g_key_file_new();
    definition_set_defaults(definition);
    return definition;
}

Definition *definition_new(const char *name)
{
    Definition *definition = definition_alloc();
    definition->name = g_strdup(name);
    definition->uuid = g_uuid_string_random();
    g_key_file_set_comment(definition->file, NULL, NULL,
                           " A Vitrine machine. May be edited while the machine is off.", NULL);
    return definition;
}

void definition_free(Definition *definition)
{
    if (!definition)
        return;
    for (unsigned g = 0; g < G_N_ELEMENTS(schema); g++)
        for (unsigned k = 0; k < schema[g].n_keys; k++)
            if (schema[g].keys[k].type <= KEY_PATH)
                g_free(*(char **)schema_field(definition, &schema[g], &schema[g].keys[k]));
    g_key_file_unref(definition->file);
    g_free(definition);
}

static bool group_read(Definition *definition, const SchemaGroup *group, const char *origin,
                       GError **error)
{
    for (unsigned k = 0; k < group->n_keys; k++) {
        const SchemaKey *key = &group->keys[k];
        g_autofree char *expected = key_describe(key);
        g_autofree char *text =
            g_key_file_get_string(definition->file, group->name, key->name, NULL);
        if (!text && key->required) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        _("%s: [%s] %s is missing; expected %s"), origin, group->name, key->name,
                        expected);
            return false;
        }
        if (text && !key_store(key, schema_field(definition, group, key), g_strstrip(text))) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID, _("%s: [%s] %s is “%s”; expected %s"),
                        origin, group->name, key->name, text, expected);
            return false;
        }
    }
    return true;
}

/* What is quoted from a file must not spoil the message. */
static bool check_text(const char *text, gsize length, const char *origin, GError **error)
{
    const char *end = NULL;
    unsigned line = 1;
    if (g_utf8_validate_len(text, length, &end))
        return true;
    for (const char *at = text; at < end; at++)
        line += *at == '\n';
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                _("%s is not a machine definition: line %u is not UTF-8 text"), origin, line);
    return false;
}

Definition *definition_parse(const char *text, gssize size, const char *origin, GError **error)
{
    g_autoptr(Definition) definition = definition_alloc();
    g_autoptr(GError) local = NULL;
    gsize length = size < 0 ? strlen(text) : (gsize)size;

    if (!check_text(text, length, origin, error))
        return NULL;
    if (!g_key_file_load_from_data(definition->file, text, length, G_KEY_FILE_KEEP_COMMENTS,
                                   &local)) {
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID, _("%s is not a machine definition: %s"),
                    origin, local->message);
        return NULL;
    }
    for (unsigned g = 0; g < G_N_ELEMENTS(schema); g++) {
        const SchemaGroup *group = &schema[g];
        bool present = g_key_file_has_group(definition->file, group->name);
        if (!present && !group->optional) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        _("%s has no group [%s]; expected a machine definition"), origin,
                        group->name);
            return NULL;
        }
        if (present && !group_read(definition, group, origin, error))
            return NULL;
    }
    return g_steal_pointer(&definition);
}

Definition *definition_load(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    if (!g_file_get_contents(path, &text, &length, error))
        return NULL;
    return definition_parse(text, length, path, error);
}

static bool group_in_use(const Definition *definition, const SchemaGroup *group)
{
    if (!group->optional)
        return true;
    if (group->keys == drive_keys)
        return ((DefinitionDrive *)((char *)definition + group->offset))->type != DRIVE_NONE;
    return definition->kernel[0] != '\0';
}

char *definition_to_text(Definition *definition)
{
    for (unsigned g = 0; g < G_N_ELEMENTS(schema); g++) {
        const SchemaGroup *group = &schema[g];
        if (!group_in_use(definition, group)) {
            g_key_file_remove_group(definition->file, group->name, NULL);
            continue;
        }
        for (unsigned k = 0; k < group->n_keys; k++) {
            const SchemaKey *key = &group->keys[k];
            g_autofree char *text = key_dup_text(key, schema_field(definition, group, key));
            g_autofree char *before =
                g_key_file_get_string(definition->file, group->name, key->name, NULL);
            /* What a person wrote stays as written while it means the same; defaults stay out. */
            if (!before && key->initial && strcmp(key->initial, text) == 0 &&
                strcmp(key->name, "memory") != 0 && strcmp(key->name, "cpus") != 0)
                continue;
            uint64_t written, meant;
            if (before && key->type == KEY_SIZE && size_parse(before, &written) &&
                size_parse(text, &meant) && written == meant)
                continue;
            g_key_file_set_string(definition->file, group->name, key->name, text);
        }
    }
    return g_key_file_to_data(definition->file, NULL, NULL);
}

bool definition_save(Definition *definition, const char *path, GError **error)
{
    g_autofree char *text = definition_to_text(definition);
    g_autofree char *folder = g_path_get_dirname(path);
    /* Else the words would be about a temporary file. */
    if (g_access(folder, W_OK) < 0) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                    _("“%s” cannot be written: %s"), path, g_strerror(errno));
        return false;
    }
    return file_replace(path, text, strlen(text), 0644, error);
}

/* "memory", "drive-1.path". */
static const SchemaKey *schema_find(const char *name, const SchemaGroup **out_group)
{
    const char *dot = strchr(name, '.');
    g_autofree char *group_name = dot ? g_strndup(name, dot - name) : g_strdup("machine");
    const char *key_name = dot ? dot + 1 : name;
    for (unsigned g = 0; g < G_N_ELEMENTS(schema); g++)
        for (unsigned k = 0; k < schema[g].n_keys; k++)
            if (strcmp(schema[g].name, group_name) == 0 &&
                strcmp(schema[g].keys[k].name, key_name) == 0) {
                *out_group = &schema[g];
                return &schema[g].keys[k];
            }
    return NULL;
}

static bool refuse_key(const char *name, GError **error)
{
    g_autoptr(GString) known = g_string_new(NULL);
    for (unsigned k = 0; k < G_N_ELEMENTS(machine_keys); k++)
        g_string_append_printf(known, "%s, ", machine_keys[k].name);
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                _("There is no setting “%s”; there are: %sdrive-N.type, drive-N.path, "
                  "drive-N.read-only, drive-N.interface (N 0 to %d), linux.kernel, linux.initrd, "
                  "linux.command-line"),
                name, known->str, DEFINITION_MAX_DRIVES - 1);
    return false;
}

bool definition_set(Definition *definition, const char *name, const char *value, GError **error)
{
    const SchemaGroup *group = NULL;
    const SchemaKey *key = schema_find(name, &group);
    if (!key)
        return refuse_key(name, error);
    if (key_store(key, schema_field(definition, group, key), value))
        return true;
    g_autofree char *expected = key_describe(key);
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID, _("%s cannot be “%s”; expected %s"), name,
                value, expected);
    return false;
}

static bool check_interfaces(const Definition *definition, const char *where, GError **error)
{
    for (unsigned i = 0; i < DEFINITION_MAX_DRIVES; i++)
        if (definition->drive[i].type == DRIVE_CDROM &&
            definition->drive[i].interface != INTERFACE_AHCI) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        _("%s: [drive-%u] is a CD drive, which needs interface=ahci"), where, i);
            return false;
        }
    return true;
}

bool definition_check_runs(const Definition *definition, const char *where, GError **error)
{
    if (definition->clock == CLOCK_CHOICE_DETERMINISTIC && definition->cpu == CPU_CHOICE_KVM)
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("%s: [machine] clock is “deterministic”, which KVM does not have. Set cpu to "
                      "auto or software"),
                    where);
    else if (definition->clock == CLOCK_CHOICE_DETERMINISTIC && definition->n_cpus > 1)
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("%s: [machine] clock is “deterministic”, which needs cpus=1"), where);
    else
        return check_interfaces(definition, where, error);
    return false;
}

char *definition_dup_value(const Definition *definition, const char *name)
{
    const SchemaGroup *group = NULL;
    const SchemaKey *key = schema_find(name, &group);
    if (!key || (group->keys == drive_keys && !group_in_use(definition, group)))
        return NULL;
    return key_dup_text(key, schema_field(definition, group, key));
}

char **definition_dup_values(const Definition *definition)
{
    g_autoptr(GStrvBuilder) values = g_strv_builder_new();
    for (unsigned g = 0; g < G_N_ELEMENTS(schema); g++) {
        const SchemaGroup *group = &schema[g];
        if (!group_in_use(definition, group))
            continue;
        for (unsigned k = 0; k < group->n_keys; k++) {
            g_autofree char *name = group->optional
                                        ? g_strconcat(group->name, ".", group->keys[k].name, NULL)
                                        : g_strdup(group->keys[k].name);
            g_autofree char *text =
                key_dup_text(&group->keys[k], schema_field(definition, group, &group->keys[k]));
            g_strv_builder_add_many(values, name, text, NULL);
        }
    }
    return g_strv_builder_end(values);
}

int definition_find_drive(const Definition *definition, DefinitionDriveType type)
{
    for (int i = 0; i < DEFINITION_MAX_DRIVES; i++)
        if (definition->drive[i].type == (int)type)
            return i;
    return -1;
}

int definition_free_drive(const Definition *definition)
{
    return definition_find_drive(definition, DRIVE_NONE);
}
