/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "model/medium-name.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>

static void assert_names(char *(*dup_name)(const char *), const char *const (*pairs)[2])
{
    for (; (*pairs)[0]; pairs++) {
        g_autofree char *name = dup_name((*pairs)[0]);
        if (!(*pairs)[1])
            assert_null(name);
        else
            assert_string_equal(name ? name : "", (*pairs)[1]);
    }
}

static void capitals_of_a_volume_name_become_a_sentence(void **state)
{
    static const char *const names[][2] = { { "VITRINE_DEMO", "Vitrine demo" },
                                            { "TESTOS", "Testos" },
                                            { "FREEDOS_1.3", "Freedos 1.3" },
                                            { "MY_OWN_RESCUE_CD", "MY OWN rescue CD" },
                                            { "RESCUE_X86", "Rescue X86" },
                                            { "ÜBUNG_ÄPFEL", "Übung äpfel" },
                                            { NULL } };
    assert_names(medium_dup_name_of_label, names);
}

static void a_volume_name_that_somebody_wrote_stays(void **state)
{
    static const char *const names[][2] = { { "Debian 12.5.0 amd64 n", "Debian 12.5.0 amd64 n" },
                                            { "Fedora-WS-Live-40-1-14", "Fedora-WS-Live-40-1-14" },
                                            { "openSUSE_Leap_15.6", "openSUSE Leap 15.6" },
                                            { "__Arch__Linux ", "Arch Linux" },
                                            { NULL } };
    assert_names(medium_dup_name_of_label, names);
}

static void a_volume_name_that_says_nothing_is_none(void **state)
{
    static const char *const names[][2] = { { "", NULL },         { "CDROM", NULL },
                                            { "ISOIMAGE", NULL }, { "New_Volume", NULL },
                                            { "_ _", NULL },      { NULL } };
    assert_names(medium_dup_name_of_label, names);
    assert_null(medium_dup_name_of_label(NULL));
}

static void bytes_that_are_no_text_make_a_name_that_is(void **state)
{
    g_autofree char *name = medium_dup_name_of_label("AB\xff_CDEF");
    assert_true(g_utf8_validate(name, -1, NULL));
}

static void a_file_gives_its_name_without_its_extension(void **state)
{
    static const char *const names[][2] = {
        { "/x/debian-12.5.0-amd64-netinst.iso", "debian 12.5.0 amd64 netinst" },
        { "/x/My_Disk.qcow2", "My Disk" },
        { "version 1.2 of something", "version 1.2 of something" },
        { "/x/.iso", ".iso" },
        { "/x/--.iso", NULL },
        { NULL }
    };
    assert_names(medium_dup_name_of_file, names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capitals_of_a_volume_name_become_a_sentence),
        cmocka_unit_test(a_volume_name_that_somebody_wrote_stays),
        cmocka_unit_test(a_volume_name_that_says_nothing_is_none),
        cmocka_unit_test(bytes_that_are_no_text_make_a_name_that_is),
        cmocka_unit_test(a_file_gives_its_name_without_its_extension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
