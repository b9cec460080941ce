/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/firmware/rom.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>

typedef struct {
    const char *name, *what, *packages;
    uint64_t max_size;
    bool at_end; /* the file's last byte is the block's last byte */
    const char *path[8];
} RomSource;

static const RomSource sources[] = {
    [ROM_SEABIOS] = { .name = "bios",
                      .what = N_("The SeaBIOS firmware (bios-256k.bin)"),
                      .packages =
                          N_("“seabios” (Debian, Ubuntu, Arch: seabios; Fedora: seabios-bin)"),
                      .max_size = 16 << 20,
                      .at_end = true,
                      .path = { "/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/bios-256k.bin",
                                "/usr/share/kvm/bios-256k.bin",
                                "/usr/local/share/qemu/bios-256k.bin",
                                "/usr/local/share/seabios/bios-256k.bin" } },
    [ROM_VGABIOS] = { .name = "vgabios",
                      .what = N_("The SeaVGABIOS firmware (vgabios-stdvga.bin)"),
                      .packages =
                          N_("“seabios” (Debian, Ubuntu, Arch: seabios; Fedora: seavgabios-bin)"),
                      .max_size = 128 << 10,
                      .path = { "/usr/share/seabios/vgabios-stdvga.bin",
                                "/usr/share/seavgabios/vgabios-stdvga.bin",
                                "/usr/share/qemu/vgabios-stdvga.bin",
                                "/usr/share/kvm/vgabios-stdvga.bin",
                                "/usr/local/share/qemu/vgabios-stdvga.bin",
                                "/usr/local/share/seabios/vgabios-stdvga.bin" } },
};

static const char *find(const RomSource *source, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(source->path) && source->path[i]; i++)
        if (g_file_test(source->path[i], G_FILE_TEST_IS_REGULAR))
            return source->path[i];
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                _("%s is not installed. Install the package %s and start the machine again."),
                _(source->what), _(source->packages));
    return NULL;
}

/* An option ROM's length byte counts 512-byte units and its bytes add up to 0. A BIOS ends in the
 * reset vector's jump. */
static bool looks_right(RomKind kind, const uint8_t *bytes, gsize length)
{
    switch (kind) {
    case ROM_SEABIOS: return length >= 0x10000 && bytes[length - 16] == 0xEA;
    case ROM_VGABIOS: return length >= 512 && bytes[0] == 0x55 && bytes[1] == 0xAA;
    }
    return false;
}

Ram *rom_load(RomKind kind, const char *path, GError **error)
{
    g_return_val_if_fail(kind < G_N_ELEMENTS(sources), NULL);
    const RomSource *source = &sources[kind];
    g_autofree char *bytes = NULL;
    gsize length;

    if (!path && !(path = find(source, error)))
        return NULL;
    if (!g_file_get_contents(path, &bytes, &length, error)) {
        g_prefix_error(error, _("Cannot read the firmware image: "));
        return NULL;
    }
    if (length > source->max_size || !looks_right(kind, (const uint8_t *)bytes, length)) {
        g_set_error(
            error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
            _("%s is not a %s image. Install the package %s again, or choose another file."), path,
            kind == ROM_SEABIOS ? "BIOS" : "VGA BIOS", _(source->packages));
        return NULL;
    }
    Ram *ram = ram_new(source->name, length, error);
    if (!ram)
        return NULL;
    memcpy(ram->host + (source->at_end ? ram->size - length : 0), bytes, length);
    return ram;
}
