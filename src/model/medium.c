/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "model/medium.h"
#include "base/errors.h"
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 2048
#define FIRST_DESCRIPTOR 16 /* ECMA-119 §6.2.1: the volume descriptors begin at sector 16 */
#define MAX_DESCRIPTORS 32

static bool read_at(int fd, uint64_t offset, void *buffer, gsize length)
{
    return pread(fd, buffer, length, offset) == (ssize_t)length;
}

static uint32_t get_le32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return GUINT32_FROM_LE(value);
}

static void refuse(GError **error, const char *path, const char *what)
{
    g_set_error(error, APP_ERROR, APP_ERROR_INVALID, _("“%s” %s"), path, what);
}

/* An El Torito catalogue (El Torito 1.0 §2): 32-byte entries. The validation entry names the
 * platform of the initial entry, which comes next, and the headers of sections (90h, 91h the last)
 * that of theirs. 88h begins an entry that boots. */
static void read_catalogue(int fd, uint32_t sector, Medium *medium)
{
    enum { VALIDATION = 0x01, HEADER = 0x90, LAST_HEADER = 0x91, BOOTS = 0x88, UEFI = 0xEF };
    uint8_t catalogue[SECTOR];
    bool by_bios = false, by_uefi = false;

    if (!read_at(fd, (uint64_t)sector * SECTOR, catalogue, sizeof catalogue) ||
        catalogue[0] != VALIDATION || catalogue[30] != 0x55 || catalogue[31] != 0xaa)
        return;
    uint8_t platform = catalogue[1];
    for (unsigned at = 32; at < SECTOR; at += 32) {
        const uint8_t *entry = catalogue + at;
        if (entry[0] == HEADER || entry[0] == LAST_HEADER)
            platform = entry[1];
        by_bios |= entry[0] == BOOTS && platform != UEFI;
        by_uefi |= entry[0] == BOOTS && platform == UEFI;
    }
    medium->boots = by_bios || by_uefi;
    medium->needs_uefi = by_uefi && !by_bios;
}

/* Reads the volume descriptors (ECMA-119 §8). False when there are none: not a disc. */
static bool read_disc(int fd, Medium *medium, uint64_t *out_volume_bytes)
{
    uint8_t d[SECTOR];
    bool found = false, udf = false;
    for (unsigned i = 0; i < MAX_DESCRIPTORS; i++) {
        if (!read_at(fd, (uint64_t)(FIRST_DESCRIPTOR + i) * SECTOR, d, sizeof d))
            break;
        if (memcmp(d + 1, "NSR0", 4) == 0 || memcmp(d + 1, "BEA01", 5) == 0) {
            udf = true;
            continue;
        }
        if (memcmp(d + 1, "CD001", 5) != 0)
            break;
        if (d[0] == 1) { /* primary: volume name at 40, size in blocks at 80, block size at 128 */
            found = true;
            *out_volume_bytes = (uint64_t)get_le32(d + 80) * (d[128] | d[129] << 8);
            g_free(medium->label);
            medium->label = g_strndup((char *)d + 40, 32);
            g_strchomp(medium->label);
            if (!g_utf8_validate(medium->label, -1, NULL))
                medium->label[0] = '\0';
        } else if (d[0] == 0 && memcmp(d + 7, "EL TORITO SPECIFICATION", 23) == 0) {
            read_catalogue(fd, get_le32(d + 71), medium);
        } else if (d[0] == 255 && !udf && found) {
            break;
        }
    }
    return found || udf;
}

static bool check_disc(const char *path, Medium *medium, uint64_t volume_bytes, GError **error)
{
    medium->kind = MEDIUM_DISC;
    medium->format = "iso";
    if (volume_bytes > medium->size_bytes) {
        g_autofree char *has = g_format_size(medium->size_bytes);
        g_autofree char *wants = g_format_size(volume_bytes);
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    _("“%s” is incomplete: it says it is %s, and the file has %s. Download or copy "
                      "it again"),
                    path, wants, has);
        return false;
    }
    if (!medium->boots)
        medium->warning = g_strdup_printf(
            "“%s” is a disc that does not boot (it has no El Torito boot record). The machine "
            "will find no system on it",
            path);
    return true;
}

/* UEFI 2.10 §5.2.3: a disk with a GUID partition table has one partition of type EEh here; without
 * code in front of it no BIOS starts it. */
static bool has_no_code_for_bios(const uint8_t *sector)
{
    unsigned used = 0;
    for (unsigned i = 0; i < 440; i++)
        used |= sector[i];
    return !used && sector[450] == 0xEE;
}

/* Of a boot sector's partition table: 446 the first entry, there first sector at 8, sectors at 12.
 */
static uint64_t first_partition_end(const uint8_t *sector)
{
    return ((uint64_t)get_le32(sector + 454) + get_le32(sector + 458)) * 512;
}

static bool check_disk(int fd, const char *path, Medium *medium, GError **error)
{
    uint8_t first[512];
    medium->kind = MEDIUM_DISK;
    if (!read_at(fd, 0, first, sizeof first)) {
        refuse(error, path, _("is too small to be a disc or disk image. Choose another file"));
        return false;
    }
    if (memcmp(first, "QFI\xfb", 4) == 0) {
        medium->format = "qcow2";
        medium->boots = true;
        return true;
    }
#define CONVERT                                                                                    \
    N_("“qemu-img convert -O qcow2 FILE disk.qcow2” makes a disk of it that Vitrine can use")
    static const struct {
        const char *magic;
        gsize offset, length;
        const char *what, *remedy;
    } others[] = {
        { "KDMV", 0, 4, N_("a VMware disk (VMDK)"), CONVERT },
        { "# Disk DescriptorFile", 0, 21, N_("a VMware disk (VMDK)"), CONVERT },
        { "\x7f\x10\xda\xbe", 64, 4, N_("a VirtualBox disk (VDI)"), CONVERT },
        { "vhdxfile", 0, 8, N_("a Hyper-V disk (VHDX)"), CONVERT },
        { "conectix", 0, 8, N_("a Virtual PC disk (VHD)"), CONVERT },
        { "ustar", 257, 5, N_("an archive (OVA or tar)"),
          N_("Unpack it with “tar xf” and convert the disk in it with “qemu-img convert -O "
             "qcow2”") },
        { "PK\x03\x04", 0, 4, N_("a zip archive"), N_("Unpack it first") },
        { "\x1f\x8b", 0, 2, N_("a compressed file (gzip)"), N_("Unpack it first") },
        { "BZh", 0, 3, N_("a compressed file (bzip2)"), N_("Unpack it first") },
        { "\xfd"
          "7zXZ",
          0, 5, N_("a compressed file (xz)"), N_("Unpack it first") },
        { "\x28\xb5\x2f\xfd", 0, 4, N_("a compressed file (zstd)"), N_("Unpack it first") },
        { "\x7f"
          "ELF",
          0, 4, N_("a program"), N_("Choose a disc or a disk image") },
        { "%PDF", 0, 4, N_("a PDF document"), N_("Choose a disc or a disk image") },
    };
#undef CONVERT
    for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
        if (memcmp(first + others[i].offset, others[i].magic, others[i].length) == 0) {
            g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                        _("“%s” is %s, which Vitrine cannot read. %s"), path, _(others[i].what),
                        _(others[i].remedy));
            return false;
        }
    /* The first sectors of a disc that boots from a stick too look like a disk's. */
    g_autofree char *folded = g_ascii_strdown(path, -1);
    if (g_str_has_suffix(folded, ".iso") && medium->size_bytes <= FIRST_DESCRIPTOR * SECTOR &&
        first_partition_end(first) > medium->size_bytes) {
        refuse(error, path,
               _("is incomplete: it ends before a disc begins. Download or copy it again"));
        return false;
    }
    medium->format = "raw";
    medium->boots = first[510] == 0x55 && first[511] == 0xaa;
    medium->needs_uefi = medium->boots && has_no_code_for_bios(first);
    if (!medium->boots) {
        refuse(
            error, path,
            _("is neither a disc image (ISO) nor a disk image with a boot sector. Choose another "
              "file"));
        return false;
    }
    return true;
}

Medium *medium_identify(const char *path, GError **error)
{
    g_autoptr(Medium) medium = g_new0(Medium, 1);
    medium->label = g_strdup("");
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        g_set_error(error, APP_ERROR, APP_ERROR_INVALID,
                    errno == ENOENT ? _("There is no file “%s”%.0s") : _("Cannot read “%s”: %s"),
                    path, g_strerror(errno));
        return NULL;
    }
    uint64_t volume_bytes = 0;
    uint8_t head[16] = { 0 };
    bool good = false;
    if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode))
        refuse(error, path, _("is a folder. Choose the ISO or disk image in it"));
    else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        refuse(error, path, _("is not a file. Choose an ISO or a disk image"));
    else {
        off_t end = lseek(fd, 0, SEEK_END); /* block devices have no st_size */
        medium->size_bytes = end > 0 ? end : 0;
        if (medium->size_bytes == 0)
            refuse(error, path, _("is empty. Download or copy it again"));
        else if (read_at(fd, 0, head, sizeof head) &&
                 memcmp(head,
                        "\x7f"
                        "ELF",
                        4) == 0 &&
                 head[8] == 'A' && head[9] == 'I')
            refuse(error, path,
                   _("is an AppImage, a program for this computer and not a disc. Run it instead"));
        else if (read_disc(fd, medium, &volume_bytes))
            good = check_disc(path, medium, volume_bytes, error);
        else
            good = check_disk(fd, path, medium, error);
    }
    close(fd);
    return good ? g_steal_pointer(&medium) : NULL;
}

void medium_free(Medium *medium)
{
    if (!medium)
        return;
    g_free(medium->label);
    g_free(medium->warning);
    g_free(medium);
}
