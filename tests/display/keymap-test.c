/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "display/keymap.h"
#include <linux/input-event-codes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void keys_of_the_main_block_keep_their_set_1_codes(void **state)
{
    assert_int_equal(keymap_qnum_from_evdev(KEY_ESC), 0x01);
    assert_int_equal(keymap_qnum_from_evdev(KEY_A), 0x1e);
    assert_int_equal(keymap_qnum_from_evdev(KEY_SPACE), 0x39);
    assert_int_equal(keymap_qnum_from_evdev(KEY_KPDOT), 0x53);
    assert_int_equal(keymap_qnum_from_evdev(KEY_F12), 0x58);
    assert_int_equal(keymap_qnum_from_evdev(KEY_102ND), 0x56);
}

static void grey_keys_carry_the_prefix_bit(void **state)
{
    assert_int_equal(keymap_qnum_from_evdev(KEY_RIGHTCTRL), 0x9d);
    assert_int_equal(keymap_qnum_from_evdev(KEY_UP), 0xc8);
    assert_int_equal(keymap_qnum_from_evdev(KEY_DELETE), 0xd3);
    assert_int_equal(keymap_qnum_from_evdev(KEY_KPENTER), 0x9c);
    assert_int_equal(keymap_qnum_from_evdev(KEY_LEFTMETA), 0xdb);
}

static void no_two_keys_are_one_and_none_is_out_of_range(void **state)
{
    bool seen[256] = { false };
    for (unsigned key = 0; key < 0x300; key++) {
        unsigned qnum = keymap_qnum_from_evdev(key);
        assert_true(qnum < 256);
        if (qnum)
            assert_false(seen[qnum]);
        seen[qnum] = true;
    }
}

static void keys_that_no_pc_has_are_none(void **state)
{
    assert_int_equal(keymap_qnum_from_evdev(KEY_RESERVED), 0);
    assert_int_equal(keymap_qnum_from_evdev(KEY_F24), 0);
    assert_int_equal(keymap_qnum_from_evdev(BTN_LEFT), 0);
    assert_int_equal(keymap_qnum_from_evdev(UINT32_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_of_the_main_block_keep_their_set_1_codes),
        cmocka_unit_test(grey_keys_carry_the_prefix_bit),
        cmocka_unit_test(no_two_keys_are_one_and_none_is_out_of_range),
        cmocka_unit_test(keys_that_no_pc_has_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
