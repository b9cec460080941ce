/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Any bytes as machine.conf: refused in words, or a definition that can be written and read again
 * and is then the same. */

#include "fuzz.h"
#include "model/definition.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Definition) definition =
        definition_parse((const char *)data, (gssize)size, "machine.conf", &error);

    if (!definition) {
        g_assert(error && strstr(error->message, "machine.conf"));
        g_assert(g_utf8_validate(error->message, -1, NULL));
        return 0;
    }
    g_assert(!error && definition->n_cpus > 0 && definition->memory_bytes > 0);
    g_autofree char *text = definition_to_text(definition);
    g_autoptr(Definition) again = definition_parse(text, -1, "again", &error);
    if (!again)
        g_error("what was written cannot be read: %s", error->message);
    g_auto(GStrv) before = definition_dup_values(definition), after = definition_dup_values(again);
    g_assert(g_strv_equal((const char *const *)before, (const char *const *)after));
    return 0;
}

void fuzz_add_seeds(GPtrArray *seeds)
{
    g_autoptr(Definition) definition = definition_new("A seed — ein Samen");
    static const char *const settings[][2] = {
        { "drive-0.type", "cdrom" }, { "drive-0.path", "/tmp/a disc.iso" },
        { "drive-1.type", "disk" },  { "drive-1.path", "disk-0.qcow2" },
        { "memory", "2G" },          { "cpus", "4" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(settings); i++)
        g_assert(definition_set(definition, settings[i][0], settings[i][1], NULL));
    char *text = definition_to_text(definition);
    g_ptr_array_add(seeds, g_bytes_new_take(text, strlen(text)));
}
