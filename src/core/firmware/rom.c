/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/firmware/rom.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>

typedef struct {
    const char *name, *what, *packages;
    const char *kind; /* "X is not a … image" */
    uint64_t max_size;
    bool at_end; /* the file's last byte is the block's last byte */
} RomSource;

static const RomSource sources[] = {
    [ROM_SEABIOS] = { .name = "bios",
                      .what = N_("The SeaBIOS firmware (bios-256k.bin)"),
                      .packages =
                          N_("“seabios” (Debian, Ubuntu, Arch: seabios; Fedora: seabios-bin)"),
                      .kind = N_("BIOS"),
                      .max_size = 16 << 20,
                      .at_end = true },
    [ROM_VGABIOS] = { .name = "vgabios",
                      .what = N_("The SeaVGABIOS firmware (vgabios-stdvga.bin)"),
                      .packages =
                          N_("“seabios” (Debian, Ubuntu, Arch: seabios; Fedora: seavgabios-bin)"),
                      .kind = N_("VGA BIOS"),
                      .max_size = 128 << 10 },
    [ROM_UEFI] = { .name = "uefi",
                   .what = N_("The UEFI firmware (OVMF)"),
                   .packages =
                       N_("“ovmf” (Debian, Ubuntu: ovmf; Fedora, Arch: edk2-ovmf; openSUSE: "
                          "qemu-ovmf-x86_64)"),
                   .kind = N_("UEFI"),
                   .max_size = 16 << 20,
                   .at_end = true },
};

static void say_missing(const RomSource *source, GError **error)
{
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                _("%s is not installed. Install the package %s and start the machine again."),
                _(source->what), _(source->packages));
}

static const char *find(RomKind kind, GError **error)
{
    UefiFiles uefi = { NULL };
    const char *path = kind == ROM_SEABIOS            ? firmware_find_bios()
                       : kind == ROM_VGABIOS          ? firmware_find_vga_bios()
                       : firmware_find_uefi(0, &uefi) ? uefi.code
                                                      : NULL;
    if (!path)
        say_missing(&sources[kind], error);
    return path;
}

bool rom_choose_uefi(const char *kept, UefiFiles *out_files, GError **error)
{
    GStatBuf kept_status, status;
    bool is_kept = kept && g_stat(kept, &kept_status) == 0;
    UefiFiles files;

    for (unsigned i = 0; is_kept && firmware_find_uefi(i, &files); i++)
        if (g_stat(files.variables, &status) == 0 && status.st_size == kept_status.st_size) {
            *out_files = files;
            return true;
        }
    if (firmware_find_uefi(0, out_files))
        return true;
    say_missing(&sources[ROM_UEFI], error);
    return false;
}

/* An option ROM's length byte counts 512-byte units and its bytes add up to 0. A BIOS ends in the
 * reset vector's jump; so does UEFI, whose first volume has its signature in front. */
static bool looks_right(RomKind kind, const uint8_t *bytes, gsize length)
{
    switch (kind) {
    case ROM_SEABIOS: return length >= 0x10000 && bytes[length - 16] == 0xEA;
    case ROM_VGABIOS: return length >= 512 && bytes[0] == 0x55 && bytes[1] == 0xAA;
    case ROM_UEFI:
        return length >= 0x20000 && length % RAM_PAGE_SIZE == 0 &&
               memcmp(bytes + 40, "_FVH", 4) == 0;
    }
    return false;
}

Ram *rom_load(RomKind kind, const char *path, GError **error)
{
    g_return_val_if_fail(kind < G_N_ELEMENTS(sources), NULL);
    const RomSource *source = &sources[kind];
    g_autofree char *bytes = NULL;
    gsize length;

    if (!path && !(path = find(kind, error)))
        return NULL;
    if (!g_file_get_contents(path, &bytes, &length, error)) {
        g_prefix_error(error, _("Cannot read the firmware image: "));
        return NULL;
    }
    if (length > source->max_size || !looks_right(kind, (const uint8_t *)bytes, length)) {
        g_set_error(
            error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
            _("%s is not a %s image. Install the package %s again, or choose another file."), path,
            _(source->kind), _(source->packages));
        return NULL;
    }
    Ram *ram = ram_new(source->name, length, error);
    if (!ram)
        return NULL;
    memcpy(ram->host + (source->at_end ? ram->size - length : 0), bytes, length);
    return ram;
}
