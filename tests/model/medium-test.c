/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/errors.h"
#include "model/medium.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#define SECTORS 40

static char *folder, *path;
static uint8_t image[SECTORS * 2048];

/* A disc as small as they get: a primary descriptor, El Torito, a terminator, a catalogue. */
static int make_disc(void **state)
{
    folder = g_dir_make_tmp("medium-XXXXXX", NULL);
    path = g_build_filename(folder, "x.iso", NULL);
    memset(image, 0, sizeof image);
    uint8_t *primary = image + 16 * 2048, *boot = primary + 2048, *end = boot + 2048;
    uint8_t *catalogue = image + 20 * 2048;
    memcpy(primary,
           "\x01"
           "CD001\x01",
           7);
    memcpy(primary + 40, "MY DISC                         ", 32);
    primary[80] = SECTORS;
    primary[129] = 2048 >> 8;
    memcpy(boot,
           "\x00"
           "CD001\x01"
           "EL TORITO SPECIFICATION",
           30);
    boot[71] = 20;
    memcpy(end,
           "\xff"
           "CD001\x01",
           7);
    catalogue[0] = 1;
    catalogue[30] = 0x55;
    catalogue[31] = 0xaa;
    catalogue[32] = 0x88;
    return 0;
}

static int drop_disc(void **state)
{
    g_unlink(path);
    g_rmdir(path);
    g_rmdir(folder);
    g_clear_pointer(&path, g_free);
    g_clear_pointer(&folder, g_free);
    return 0;
}

static Medium *identify(gsize length, GError **error)
{
    g_file_set_contents(path, (char *)image, length, NULL);
    return medium_identify(path, error);
}

static void assert_refused(gsize length, const char *words)
{
    g_autoptr(GError) error = NULL;
    assert_null(identify(length, &error));
    assert_true(g_error_matches(error, APP_ERROR, APP_ERROR_INVALID));
    if (!strstr(error->message, words) || !strstr(error->message, path))
        fail_msg("“%s” does not say “%s” and the file", error->message, words);
}

static void a_bootable_disc_is_one(void **state)
{
    g_autoptr(Medium) medium = identify(sizeof image, NULL);
    assert_non_null(medium);
    assert_int_equal(medium->kind, MEDIUM_DISC);
    assert_string_equal(medium->label, "MY DISC");
    assert_true(medium->boots);
    assert_null(medium->warning);
}

static void a_disc_without_boot_record_warns(void **state)
{
    memset(image + 17 * 2048, 0, 2048);
    memcpy(image + 17 * 2048,
           "\xff"
           "CD001\x01",
           7);
    g_autoptr(Medium) medium = identify(sizeof image, NULL);
    assert_non_null(medium);
    assert_false(medium->boots);
    assert_non_null(strstr(medium->warning, "does not boot"));
}

static void a_boot_entry_that_is_off_does_not_boot(void **state)
{
    image[20 * 2048 + 32] = 0;
    g_autoptr(Medium) medium = identify(sizeof image, NULL);
    assert_false(medium->boots);
}

static void a_boot_catalogue_past_the_end_does_not_boot(void **state)
{
    memset(image + 17 * 2048 + 71, 0xff, 4);
    g_autoptr(Medium) medium = identify(sizeof image, NULL);
    assert_non_null(medium);
    assert_false(medium->boots);
}

static void a_truncated_disc_is_refused(void **state)
{
    assert_refused(sizeof image - 1, "is incomplete");
}

static void the_first_sectors_of_a_disc_are_no_disk(void **state)
{
    image[510] = 0x55;
    image[511] = 0xaa;
    image[458] = SECTORS * 4; /* a partition over all of it */
    assert_refused(5000, "is incomplete");
}

static void an_empty_file_is_refused(void **state)
{
    assert_refused(0, "is empty");
}

static void a_missing_file_is_refused(void **state)
{
    g_autoptr(GError) error = NULL;
    assert_null(medium_identify("/nowhere/x.iso", &error));
    assert_string_equal(error->message, "There is no file “/nowhere/x.iso”");
}

static void a_folder_is_refused(void **state)
{
    g_mkdir(path, 0700);
    g_autoptr(GError) error = NULL;
    assert_null(medium_identify(path, &error));
    assert_non_null(strstr(error->message, "is a folder"));
}

static void an_appimage_is_refused_though_it_holds_a_disc(void **state)
{
    memcpy(image,
           "\x7f"
           "ELF\x02\x01\x01\x00"
           "AI\x02",
           11);
    assert_refused(sizeof image, "is an AppImage");
}

static void other_files_are_refused_by_kind(void **state)
{
    memset(image, 0, sizeof image);
    assert_refused(sizeof image, "is neither a disc image");
    assert_refused(100, "is too small");
    memcpy(image, "KDMV", 4);
    assert_refused(sizeof image, "VMDK");
    memcpy(image, "PK\x03\x04", 4);
    assert_refused(sizeof image, "Unpack it first");
}

static void disks_of_other_programs_are_named_with_a_way_out(void **state)
{
    static const struct {
        const char *magic;
        unsigned offset;
        const char *name;
    } disks[] = { { "KDMV", 0, "(VMDK)" },
                  { "\x7f\x10\xda\xbe", 64, "(VDI)" },
                  { "vhdxfile", 0, "(VHDX)" },
                  { "ustar", 257, "(OVA or tar)" } };
    for (unsigned i = 0; i < G_N_ELEMENTS(disks); i++) {
        memset(image, 0, sizeof image);
        memcpy(image + disks[i].offset, disks[i].magic, strlen(disks[i].magic));
        assert_refused(sizeof image, disks[i].name);
        assert_refused(sizeof image, "qemu-img convert -O qcow2");
    }
}

static void disk_images_are_told_by_content(void **state)
{
    memset(image, 0, sizeof image);
    image[510] = 0x55;
    image[511] = 0xaa;
    g_autoptr(Medium) raw = identify(4096, NULL);
    assert_int_equal(raw->kind, MEDIUM_DISK);
    assert_string_equal(raw->format, "raw");
    memcpy(image, "QFI\xfb", 4);
    g_autoptr(Medium) qcow2 = identify(4096, NULL);
    assert_string_equal(qcow2->format, "qcow2");
}

/* By a BIOS when both can: that is what is usual. */
static void a_disc_says_whether_only_uefi_boots_it(void **state)
{
    uint8_t *catalogue = image + 20 * 2048;
    g_autoptr(Medium) bios = identify(sizeof image, NULL);
    assert_false(bios->needs_uefi);
    catalogue[1] = 0xEF;
    g_autoptr(Medium) uefi = identify(sizeof image, NULL);
    assert_true(uefi->boots && uefi->needs_uefi);
    catalogue[64] = 0x91; /* another section, for a BIOS */
    catalogue[96] = 0x88;
    g_autoptr(Medium) both = identify(sizeof image, NULL);
    assert_true(both->boots && !both->needs_uefi);
    catalogue[1] = 0; /* and a disc whose BIOS entry does not boot, but whose other does */
    catalogue[32] = 0;
    catalogue[65] = 0xEF;
    g_autoptr(Medium) section = identify(sizeof image, NULL);
    assert_true(section->boots && section->needs_uefi);
}

static void a_disk_without_code_in_front_of_its_table_needs_uefi(void **state)
{
    memset(image, 0, sizeof image);
    image[450] = 0xEE;
    image[510] = 0x55;
    image[511] = 0xAA;
    g_autoptr(Medium) uefi = identify(sizeof image, NULL);
    assert_int_equal(uefi->kind, MEDIUM_DISK);
    assert_true(uefi->needs_uefi);
    image[0] = 0xEB;
    g_autoptr(Medium) both = identify(sizeof image, NULL);
    assert_false(both->needs_uefi);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_disc, drop_disc)
    const struct CMUnitTest tests[] = {
        TEST(a_disc_says_whether_only_uefi_boots_it),
        TEST(a_disk_without_code_in_front_of_its_table_needs_uefi),
        TEST(a_bootable_disc_is_one),
        TEST(a_disc_without_boot_record_warns),
        TEST(a_boot_entry_that_is_off_does_not_boot),
        TEST(a_boot_catalogue_past_the_end_does_not_boot),
        TEST(a_truncated_disc_is_refused),
        TEST(the_first_sectors_of_a_disc_are_no_disk),
        TEST(an_empty_file_is_refused),
        TEST(a_missing_file_is_refused),
        TEST(a_folder_is_refused),
        TEST(an_appimage_is_refused_though_it_holds_a_disc),
        TEST(other_files_are_refused_by_kind),
        TEST(disks_of_other_programs_are_named_with_a_way_out),
        TEST(disk_images_are_told_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
