/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "display/release-chord.h"
#include <linux/input-event-codes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool press(ReleaseChord *chord, unsigned key)
{
    return release_chord_key(chord, key, true);
}

static bool let_go(ReleaseChord *chord, unsigned key)
{
    return release_chord_key(chord, key, false);
}

static void both_keys_together_release_when_one_is_let_go(void **state)
{
    ReleaseChord chord;
    assert_true(release_chord_parse(&chord, "left-ctrl+left-alt"));
    assert_false(press(&chord, KEY_LEFTALT));
    assert_false(press(&chord, KEY_LEFTALT)); /* repeats */
    assert_false(press(&chord, KEY_LEFTCTRL));
    assert_true(let_go(&chord, KEY_LEFTALT));
    assert_false(let_go(&chord, KEY_LEFTCTRL));
}

static void a_third_key_makes_it_the_guests(void **state)
{
    ReleaseChord chord;
    release_chord_parse(&chord, RELEASE_CHORD_DEFAULT);
    press(&chord, KEY_LEFTCTRL);
    press(&chord, KEY_LEFTALT);
    press(&chord, KEY_DELETE);
    let_go(&chord, KEY_DELETE);
    assert_false(let_go(&chord, KEY_LEFTALT));
    assert_false(let_go(&chord, KEY_LEFTCTRL));
    press(&chord, KEY_LEFTCTRL); /* and the next time counts again */
    press(&chord, KEY_LEFTALT);
    assert_true(let_go(&chord, KEY_LEFTCTRL));
}

static void one_after_the_other_is_no_chord(void **state)
{
    ReleaseChord chord;
    release_chord_parse(&chord, RELEASE_CHORD_DEFAULT);
    press(&chord, KEY_LEFTCTRL);
    assert_false(let_go(&chord, KEY_LEFTCTRL));
    press(&chord, KEY_LEFTALT);
    assert_false(let_go(&chord, KEY_LEFTALT));
    press(&chord, KEY_RIGHTCTRL);
    press(&chord, KEY_LEFTALT);
    assert_false(let_go(&chord, KEY_LEFTALT));
}

static void a_single_key_can_be_one(void **state)
{
    ReleaseChord chord;
    assert_true(release_chord_parse(&chord, "right-ctrl"));
    press(&chord, KEY_RIGHTCTRL);
    assert_true(let_go(&chord, KEY_RIGHTCTRL));
    press(&chord, KEY_RIGHTCTRL);
    press(&chord, KEY_C);
    assert_false(let_go(&chord, KEY_RIGHTCTRL));
}

static void what_is_no_chord_becomes_the_default(void **state)
{
    static const char *const wrong[] = { "",
                                         "+",
                                         "left-ctrl+",
                                         "control",
                                         "left-ctrl+left-ctrl",
                                         "a+b+c+d",
                                         "left-ctrl+left-alt+left-shift+pause",
                                         NULL };
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        ReleaseChord chord;
        assert_false(release_chord_parse(&chord, wrong[i]));
        assert_int_equal(chord.n_keys, 2);
        assert_int_equal(chord.keys[0], KEY_LEFTCTRL);
    }
}

static void the_label_names_the_keys(void **state)
{
    ReleaseChord chord;
    release_chord_parse(&chord, "left-ctrl+left-alt");
    g_autofree char *label = release_chord_dup_label(&chord);
    assert_string_equal(label, "Left Ctrl + left Alt");
    g_autofree char *brief = release_chord_dup_brief_label(&chord);
    assert_string_equal(brief, "Ctrl+Alt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_keys_together_release_when_one_is_let_go),
        cmocka_unit_test(a_third_key_makes_it_the_guests),
        cmocka_unit_test(one_after_the_other_is_no_chord),
        cmocka_unit_test(a_single_key_can_be_one),
        cmocka_unit_test(what_is_no_chord_becomes_the_default),
        cmocka_unit_test(the_label_names_the_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
