/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "display/damage.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 64

static void add(Damage *damage, int x, int y, int width, int height)
{
    damage_add(damage, &(VitrineRect){ x, y, width, height });
}

static void far_rectangles_stay_apart(void **state)
{
    Damage damage = { 0 };
    assert_true(damage_is_empty(&damage));
    add(&damage, 0, 0, 2, 2);
    add(&damage, 10, 10, 2, 2);
    assert_int_equal(damage.n_rects, 2);
    damage_clear(&damage);
    assert_true(damage_is_empty(&damage));
}

static void one_that_joins_two_makes_them_one(void **state)
{
    Damage damage = { 0 };
    add(&damage, 0, 0, 2, 2);
    add(&damage, 10, 0, 2, 2);
    add(&damage, 2, 0, 8, 2);
    assert_int_equal(damage.n_rects, 1);
    assert_memory_equal(&damage.rects[0], (&(VitrineRect){ 0, 0, 12, 2 }), sizeof(VitrineRect));
}

static void empty_ones_are_left_out(void **state)
{
    Damage damage = { 0 };
    add(&damage, 5, 5, 0, 3);
    add(&damage, 5, 5, 3, -1);
    assert_true(damage_is_empty(&damage));
}

static void nothing_is_lost_however_many_there_are(void **state)
{
    srand(7);
    for (int round = 0; round < 200; round++) {
        Damage damage = { 0 };
        static bool dirty[SIZE][SIZE];
        memset(dirty, 0, sizeof dirty);
        for (int i = 0; i < 40; i++) {
            int x = rand() % SIZE, y = rand() % SIZE;
            int width = 1 + rand() % (SIZE - x > 6 ? 6 : SIZE - x),
                height = 1 + rand() % (SIZE - y > 6 ? 6 : SIZE - y);
            add(&damage, x, y, width, height);
            for (int row = y; row < y + height; row++)
                memset(&dirty[row][x], true, (size_t)width);
        }
        assert_true(damage.n_rects <= DAMAGE_MAX_RECTS);
        for (unsigned i = 0; i < damage.n_rects; i++) {
            const VitrineRect *r = &damage.rects[i];
            assert_true(r->x >= 0 && r->y >= 0 && r->x + r->width <= SIZE &&
                        r->y + r->height <= SIZE);
            for (int row = r->y; row < r->y + r->height; row++)
                memset(&dirty[row][r->x], false, (size_t)r->width);
        }
        for (size_t i = 0; i < sizeof dirty; i++)
            assert_false(((bool *)dirty)[i]);
    }
}

static void all_swallows_the_rest(void **state)
{
    Damage damage = { 0 };
    add(&damage, 1, 1, 2, 2);
    damage_add_all(&damage);
    add(&damage, 9, 9, 2, 2);
    assert_true(damage.all && damage.n_rects == 0 && !damage_is_empty(&damage));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(far_rectangles_stay_apart),
        cmocka_unit_test(one_that_joins_two_makes_them_one),
        cmocka_unit_test(empty_ones_are_left_out),
        cmocka_unit_test(nothing_is_lost_however_many_there_are),
        cmocka_unit_test(all_swallows_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
