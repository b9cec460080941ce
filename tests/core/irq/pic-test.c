/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/pic.h"

#include "core/memory/address-space.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>

typedef struct {
    Device *dev;
    Pic *pic;
    bool intr;
} Fixture;

static void on_intr(void *opaque, unsigned input, bool level)
{
    *(bool *)opaque = level;
}

static void out(Fixture *f, unsigned offset, uint8_t value)
{
    f->dev->ops->write(f->dev, offset, 1, value);
}

static uint8_t in(Fixture *f, unsigned offset)
{
    return (uint8_t)f->dev->ops->read(f->dev, offset, 1);
}

enum { MASTER = 0x00, SLAVE = 0x10, ELCR = 0x20 };

/* As a PC BIOS: vectors 8 and 70h, nothing masked. */
static void init_pics(Fixture *f, uint8_t icw4)
{
    out(f, MASTER, 0x11);
    out(f, MASTER + 1, 0x08);
    out(f, MASTER + 1, 0x04);
    out(f, MASTER + 1, icw4);
    out(f, SLAVE, 0x11);
    out(f, SLAVE + 1, 0x70);
    out(f, SLAVE + 1, 0x02);
    out(f, SLAVE + 1, 0x01);
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->dev = pic_new((IrqLine){ on_intr, &f->intr, 0 });
    f->pic = (Pic *)f->dev;
    device_reset(f->dev);
    device_update(f->dev);
    init_pics(f, 0x01);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    device_free(f->dev);
    g_free(f);
    return 0;
}

static void pulse(Fixture *f, unsigned irq)
{
    pic_set_irq(f->pic, irq, true);
    pic_set_irq(f->pic, irq, false);
}

static void the_lower_number_goes_first_and_blocks_the_rest(void **state)
{
    Fixture *f = *state;

    pulse(f, 4);
    pulse(f, 1);
    assert_true(f->intr);
    assert_int_equal(pic_acknowledge(f->pic), 0x09);
    assert_false(f->intr); /* 4 waits for 1's EOI */
    pulse(f, 0);
    assert_true(f->intr); /* but 0 does not */
    assert_int_equal(pic_acknowledge(f->pic), 0x08);
    out(f, MASTER, 0x20);
    out(f, MASTER, 0x20);
    assert_true(f->intr);
    assert_int_equal(pic_acknowledge(f->pic), 0x0C);
}

static void the_slave_comes_through_input_2(void **state)
{
    Fixture *f = *state;

    pulse(f, 12);
    pulse(f, 9);
    pulse(f, 3);
    assert_int_equal(pic_acknowledge(f->pic), 0x71); /* before IRQ 3 */
    out(f, SLAVE, 0x0B);
    assert_int_equal(in(f, SLAVE), 0x02);
    out(f, MASTER, 0x0B);
    assert_int_equal(in(f, MASTER), 0x04);
    out(f, SLAVE, 0x20);
    out(f, MASTER, 0x20);
    assert_int_equal(pic_acknowledge(f->pic), 0x74);
    out(f, SLAVE, 0x20);
    out(f, MASTER, 0x20);
    assert_int_equal(pic_acknowledge(f->pic), 0x0B);
}

static void a_vanished_request_is_spurious_7_or_15(void **state)
{
    Fixture *f = *state;

    out(f, ELCR + 1, 0x08); /* IRQ 11 level */
    pic_set_irq(f->pic, 11, true);
    assert_true(f->intr);
    pic_set_irq(f->pic, 11, false);
    assert_false(f->intr);
    assert_int_equal(pic_acknowledge(f->pic), 0x0F);
    out(f, MASTER, 0x0B);
    assert_int_equal(in(f, MASTER), 0); /* nothing in service */
}

static void masked_requests_wait(void **state)
{
    Fixture *f = *state;

    out(f, MASTER + 1, 0xFF);
    assert_int_equal(in(f, MASTER + 1), 0xFF);
    pulse(f, 5);
    assert_false(f->intr);
    out(f, MASTER, 0x0A);
    assert_int_equal(in(f, MASTER), 0x20);
    out(f, MASTER + 1, 0xDF);
    assert_true(f->intr);
}

static void a_level_input_asks_until_its_wire_falls(void **state)
{
    Fixture *f = *state;

    out(f, ELCR + 1, 0x0C);
    assert_int_equal(in(f, ELCR + 1), 0x0C);
    pic_set_irq(f->pic, 10, true);
    assert_int_equal(pic_acknowledge(f->pic), 0x72);
    out(f, SLAVE, 0x20);
    out(f, MASTER, 0x20);
    assert_true(f->intr); /* still high: again */
    pic_set_irq(f->pic, 10, false);
    assert_false(f->intr);
}

static void an_edge_input_that_stays_high_asks_once(void **state)
{
    Fixture *f = *state;

    pic_set_irq(f->pic, 6, true);
    assert_int_equal(pic_acknowledge(f->pic), 0x0E);
    out(f, MASTER, 0x20);
    assert_false(f->intr);
    pic_set_irq(f->pic, 6, true);
    assert_false(f->intr);
    pic_set_irq(f->pic, 6, false);
    pic_set_irq(f->pic, 6, true);
    assert_true(f->intr);
}

static void fixed_edges_cannot_be_made_levels(void **state)
{
    Fixture *f = *state;

    out(f, ELCR, 0xFF);
    out(f, ELCR + 1, 0xFF);
    assert_int_equal(in(f, ELCR), 0xF8);
    assert_int_equal(in(f, ELCR + 1), 0xDE);
}

static void auto_eoi_leaves_nothing_in_service(void **state)
{
    Fixture *f = *state;

    init_pics(f, 0x03);
    pulse(f, 1);
    pulse(f, 5);
    assert_int_equal(pic_acknowledge(f->pic), 0x09);
    assert_true(f->intr);
    assert_int_equal(pic_acknowledge(f->pic), 0x0D);
}

static void rotation_makes_the_served_one_the_lowest(void **state)
{
    Fixture *f = *state;

    pulse(f, 3);
    pic_acknowledge(f->pic);
    out(f, MASTER, 0xA0); /* rotate on non-specific EOI */
    pulse(f, 3);
    pulse(f, 4);
    pulse(f, 0);
    assert_int_equal(pic_acknowledge(f->pic), 0x0C);
    out(f, MASTER, 0x60 | 4);
    assert_int_equal(pic_acknowledge(f->pic), 0x08);
    out(f, MASTER, 0x60);
    assert_int_equal(pic_acknowledge(f->pic), 0x0B);
    out(f, MASTER, 0xC0 | 7); /* set priority: back to normal */
}

/* 8259A, "The Special Fully Nest Mode". */
static void special_nesting_lets_the_slave_in_twice(void **state)
{
    Fixture *f = *state;

    pulse(f, 12);
    assert_int_equal(pic_acknowledge(f->pic), 0x74);
    pulse(f, 9);
    assert_false(f->intr); /* the master serves the slave's input already */
    init_pics(f, 0x11);
    pulse(f, 12);
    assert_int_equal(pic_acknowledge(f->pic), 0x74);
    pulse(f, 14);
    assert_false(f->intr);
    pulse(f, 9);
    assert_true(f->intr);
    assert_int_equal(pic_acknowledge(f->pic), 0x71);
}

/* A second board that gets the first one's state must go on in the same way. */
static void load_into_another(Fixture *f)
{
    const DeviceOps *ops = f->dev->ops;
    g_autoptr(GByteArray) blob = g_byte_array_new();
    size_t used = 0;

    state_save(f->dev, ops->state, ops->state_version, blob);
    device_free(f->dev);
    f->intr = false;
    f->dev = pic_new((IrqLine){ on_intr, &f->intr, 0 });
    f->pic = (Pic *)f->dev;
    device_reset(f->dev);
    assert_true(
        state_load(f->dev, ops->state, ops->state_version, blob->data, blob->len, &used, NULL));
    device_update(f->dev);
}

static void a_loaded_pair_goes_on_in_the_mode_it_was_in(void **state)
{
    Fixture *f = *state;

    init_pics(f, 0x11); /* special fully nested */
    pulse(f, 12);
    assert_int_equal(pic_acknowledge(f->pic), 0x74);
    load_into_another(f);
    pulse(f, 9);
    assert_true(f->intr);
    assert_int_equal(pic_acknowledge(f->pic), 0x71);

    init_pics(f, 0x03);   /* automatic EOI */
    out(f, MASTER, 0x80); /* rotating */
    load_into_another(f);
    pulse(f, 3);
    assert_int_equal(pic_acknowledge(f->pic), 0x0B);
    pulse(f, 3);
    pulse(f, 4);
    assert_int_equal(pic_acknowledge(f->pic), 0x0C); /* 3 went to the end of the row */
    load_into_another(f);
    pulse(f, 5);
    assert_int_equal(pic_acknowledge(f->pic), 0x0D);

    init_pics(f, 0x01);
    pulse(f, 1);
    pic_acknowledge(f->pic);
    out(f, MASTER + 1, 0x02);
    out(f, MASTER, 0x68); /* special mask */
    load_into_another(f);
    pulse(f, 5);
    assert_true(f->intr);

    out(f, MASTER, 0x0B); /* what a read of the command port gives: ISR */
    load_into_another(f);
    assert_int_equal(in(f, MASTER), 0x02);
    out(f, MASTER, 0x0C); /* … a poll */
    pulse(f, 0);
    load_into_another(f);
    assert_int_equal(in(f, MASTER), 0x80);

    out(f, MASTER, 0x13); /* in the middle of the ICWs: a single one has no third */
    out(f, MASTER + 1, 0x40);
    load_into_another(f);
    out(f, MASTER + 1, 0x01);
    pulse(f, 0);
    assert_int_equal(pic_acknowledge(f->pic), 0x40);
    out(f, MASTER, 0x11);
    out(f, MASTER + 1, 0x20);
    load_into_another(f);
    out(f, MASTER + 1, 0x04);
    out(f, MASTER + 1, 0x01);
    pulse(f, 0);
    assert_int_equal(pic_acknowledge(f->pic), 0x20);
}

static void special_mask_lets_lower_ones_through(void **state)
{
    Fixture *f = *state;

    pulse(f, 1);
    pic_acknowledge(f->pic);
    pulse(f, 5);
    assert_false(f->intr);
    out(f, MASTER + 1, 0x02);
    out(f, MASTER, 0x68);
    assert_true(f->intr);
    assert_int_equal(pic_acknowledge(f->pic), 0x0D);
}

static void poll_is_an_acknowledge(void **state)
{
    Fixture *f = *state;

    out(f, MASTER, 0x0C);
    assert_int_equal(in(f, MASTER), 0);
    pulse(f, 6);
    out(f, MASTER, 0x0C);
    assert_int_equal(in(f, MASTER), 0x86);
    assert_false(f->intr);
    out(f, MASTER, 0x0B);
    assert_int_equal(in(f, MASTER), 0x40);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_lower_number_goes_first_and_blocks_the_rest),
        TEST(the_slave_comes_through_input_2),
        TEST(a_vanished_request_is_spurious_7_or_15),
        TEST(masked_requests_wait),
        TEST(a_level_input_asks_until_its_wire_falls),
        TEST(an_edge_input_that_stays_high_asks_once),
        TEST(fixed_edges_cannot_be_made_levels),
        TEST(auto_eoi_leaves_nothing_in_service),
        TEST(rotation_makes_the_served_one_the_lowest),
        TEST(special_mask_lets_lower_ones_through),
        TEST(special_nesting_lets_the_slave_in_twice),
        TEST(a_loaded_pair_goes_on_in_the_mode_it_was_in),
        TEST(poll_is_an_acknowledge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
