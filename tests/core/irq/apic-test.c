/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/apic.h"
#include "core/irq/ioapic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    PPR = 0xA0,
    EOI = 0xB0,
    LDR = 0xD0,
    DFR = 0xE0,
    SVR = 0xF0,
    ISR = 0x100,
    IRR = 0x200,
    ESR = 0x280,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    LVT_TIMER = 0x320,
    LVT_LINT0 = 0x350,
    LVT_ERROR = 0x370,
    INITIAL = 0x380,
    CURRENT = 0x390,
    DIVIDE = 0x3E0,
};
#define N_CPUS 4

typedef struct {
    GRecMutex lock;
    Clock *clock;
    LapicBus *bus;
    Device *ioapic;
    unsigned signals[N_CPUS];
} Fixture;

static void on_signal(void *opaque, unsigned id, unsigned signals)
{
    ((Fixture *)opaque)->signals[id] |= signals;
}

static void on_eoi(void *opaque, uint8_t vector)
{
    ioapic_on_eoi((Ioapic *)((Fixture *)opaque)->ioapic, vector);
}

static void lapic_out(Fixture *f, unsigned id, unsigned offset, uint32_t value)
{
    lapic_write(f->bus, id, offset, 4, value);
}

static uint32_t lapic_in(Fixture *f, unsigned id, unsigned offset)
{
    return (uint32_t)lapic_read(f->bus, id, offset, 4);
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    g_rec_mutex_init(&f->lock);
    f->clock = clock_new(CLOCK_DETERMINISTIC, &f->lock);
    f->bus = lapic_bus_new(N_CPUS, f->clock, on_signal, on_eoi, f);
    f->ioapic = ioapic_new(f->bus);
    device_reset(f->ioapic);
    for (unsigned i = 0; i < N_CPUS; i++)
        lapic_out(f, i, SVR, 0x1FF);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    device_free(f->ioapic);
    lapic_bus_free(f->bus);
    clock_free(f->clock);
    g_rec_mutex_clear(&f->lock);
    g_free(f);
    return 0;
}

static void send(Fixture *f, uint32_t destination, bool logical, ApicDelivery delivery,
                 uint8_t vector)
{
    lapic_bus_send(f->bus, &(ApicMessage){ .destination = destination,
                                           .logical = logical,
                                           .delivery = delivery,
                                           .vector = vector });
}

static void vectors_come_by_class_and_wait_for_the_eoi(void **state)
{
    Fixture *f = *state;

    send(f, 0, false, APIC_FIXED, 0x41);
    send(f, 0, false, APIC_FIXED, 0x62);
    assert_true(lapic_pending(f->bus, 0));
    assert_int_equal(f->signals[0], VCPU_SIGNAL_INTERRUPT);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x62);
    assert_int_equal(lapic_in(f, 0, PPR), 0x60);
    assert_false(lapic_pending(f->bus, 0));
    send(f, 0, false, APIC_FIXED, 0x6F); /* same class: waits */
    assert_int_equal(lapic_acknowledge(f->bus, 0), -1);
    send(f, 0, false, APIC_FIXED, 0x71);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x71);
    lapic_out(f, 0, EOI, 0);
    lapic_out(f, 0, EOI, 0);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x6F);
    lapic_out(f, 0, EOI, 0);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x41);
    lapic_out(f, 0, EOI, 0);
    assert_int_equal(lapic_acknowledge(f->bus, 0), -1);
}

static void the_task_priority_holds_vectors_back(void **state)
{
    Fixture *f = *state;

    lapic_out(f, 0, TPR, 0x50);
    send(f, 0, false, APIC_FIXED, 0x5F);
    assert_false(lapic_pending(f->bus, 0));
    assert_int_equal(lapic_get_cr8(f->bus, 0), 5);
    f->signals[0] = 0;
    lapic_set_cr8(f->bus, 0, 4);
    assert_true(lapic_pending(f->bus, 0));
    assert_int_equal(f->signals[0], VCPU_SIGNAL_INTERRUPT);
}

static void messages_find_their_processors(void **state)
{
    Fixture *f = *state;

    send(f, 2, false, APIC_FIXED, 0x40);
    for (unsigned i = 0; i < N_CPUS; i++)
        assert_int_equal(lapic_pending(f->bus, i), i == 2);
    assert_int_equal(lapic_acknowledge(f->bus, 2), 0x40);

    for (unsigned i = 0; i < N_CPUS; i++) /* flat */
        lapic_out(f, i, LDR, 1u << (24 + i));
    send(f, 0x0A, true, APIC_FIXED, 0x50);
    for (unsigned i = 0; i < N_CPUS; i++)
        assert_int_equal(lapic_acknowledge(f->bus, i), i == 1 || i == 3 ? 0x50 : -1);

    for (unsigned i = 0; i < N_CPUS; i++) { /* cluster: two in each */
        lapic_out(f, i, EOI, 0);
        lapic_out(f, i, DFR, 0x0FFFFFFF);
        lapic_out(f, i, LDR, (i / 2) << 28 | 1u << (24 + i % 2));
    }
    send(f, 0x13, true, APIC_FIXED, 0x51);
    for (unsigned i = 0; i < N_CPUS; i++)
        assert_int_equal(lapic_acknowledge(f->bus, i), i >= 2 ? 0x51 : -1);
    send(f, 0xFF, false, APIC_FIXED, 0x61);
    for (unsigned i = 0; i < N_CPUS; i++)
        assert_int_equal(lapic_acknowledge(f->bus, i), 0x61);
}

static void lowest_priority_picks_one(void **state)
{
    Fixture *f = *state;

    for (unsigned i = 0; i < N_CPUS; i++) {
        lapic_out(f, i, LDR, 1u << (24 + i));
        lapic_out(f, i, TPR, i == 2 ? 0x10 : 0x20);
    }
    send(f, 0xFF, true, APIC_LOWEST, 0x80);
    for (unsigned i = 0; i < N_CPUS; i++)
        assert_int_equal(lapic_pending(f->bus, i), i == 2);
}

static void ipis_and_their_shorthands(void **state)
{
    Fixture *f = *state;

    lapic_out(f, 0, ICR_HIGH, 3u << 24);
    lapic_out(f, 0, ICR, 0x00040);
    assert_true(lapic_pending(f->bus, 3));
    lapic_out(f, 1, ICR, 0x40041); /* self */
    assert_int_equal(lapic_acknowledge(f->bus, 1), 0x41);
    lapic_out(f, 1, ICR, 0xC0055); /* all but self */
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x55);
    assert_int_equal(lapic_acknowledge(f->bus, 1), -1);
    assert_int_equal(lapic_acknowledge(f->bus, 2), 0x55);
    lapic_out(f, 0, ICR, 0x80066);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x66);
    assert_int_equal(lapic_acknowledge(f->bus, 1), 0x66);
}

static void init_sipi_and_nmi_become_signals(void **state)
{
    Fixture *f = *state;

    lapic_out(f, 0, ICR, 0xC4500); /* as firmware starts the other processors */
    assert_int_equal(f->signals[0], 0);
    assert_int_equal(f->signals[1], VCPU_SIGNAL_INIT);
    assert_int_equal(lapic_in(f, 1, SVR), 0xFF); /* and its APIC is reset */
    assert_int_equal(lapic_in(f, 0, SVR), 0x1FF);
    lapic_out(f, 0, ICR, 0xC8500); /* de-assert: nothing */
    f->signals[1] = 0;
    lapic_out(f, 0, ICR, 0xC4612);
    assert_int_equal(f->signals[1], VCPU_SIGNAL_SIPI);
    assert_int_equal(lapic_bus_sipi_vector(f->bus, 1), 0x12);
    lapic_out(f, 0, ICR_HIGH, 2u << 24);
    lapic_out(f, 0, ICR, 0x400);
    assert_int_equal(f->signals[2] & VCPU_SIGNAL_NMI, VCPU_SIGNAL_NMI);
}

static void a_soft_disabled_apic_masks_and_refuses(void **state)
{
    Fixture *f = *state;

    lapic_out(f, 1, LVT_TIMER, 0x30);
    lapic_out(f, 1, SVR, 0xFF);
    assert_int_equal(lapic_in(f, 1, LVT_TIMER), 0x10030);
    lapic_out(f, 1, LVT_TIMER, 0x31);
    assert_int_equal(lapic_in(f, 1, LVT_TIMER), 0x10031);
    send(f, 1, false, APIC_FIXED, 0x40);
    assert_int_equal(lapic_in(f, 1, IRR + 0x20), 0);
}

static void the_pic_comes_through_lint0_or_past_a_disabled_apic(void **state)
{
    Fixture *f = *state;

    lapic_bus_set_lint0(f->bus, true);
    assert_int_equal(lapic_acknowledge(f->bus, 0), -2); /* virtual wire from reset */
    lapic_out(f, 0, LVT_LINT0, 0x10700);
    assert_false(lapic_pending(f->bus, 0));
    assert_int_equal(lapic_acknowledge(f->bus, 0), -1);
    assert_true(lapic_write_msr(f->bus, 0, 0x1B, APIC_BASE_DEFAULT));
    assert_int_equal(lapic_page(f->bus, 0), UINT64_MAX);
    assert_int_equal(lapic_acknowledge(f->bus, 0), -2);
}

static void errors_are_latched_by_a_write(void **state)
{
    Fixture *f = *state;

    lapic_out(f, 0, LVT_ERROR, 0xFE);
    lapic_out(f, 0, ICR, 0x40005); /* vector 5 cannot be sent */
    assert_int_equal(lapic_in(f, 0, ESR), 0);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0xFE);
    lapic_out(f, 0, ESR, 0);
    assert_int_equal(lapic_in(f, 0, ESR), 0x20);
    lapic_out(f, 0, ESR, 0);
    assert_int_equal(lapic_in(f, 0, ESR), 0);
}

static void a_bad_error_vector_does_not_recurse(void **state)
{
    Fixture *f = *state;

    lapic_out(f, 0, LVT_ERROR, 0x03);
    lapic_in(f, 0, 0x3A0);
    lapic_out(f, 0, ESR, 0);
    assert_int_equal(lapic_in(f, 0, ESR), 0xC0);
}

static void the_timer_counts_once_or_again_and_again(void **state)
{
    Fixture *f = *state;

    lapic_out(f, 0, DIVIDE, 0x3); /* by 16 */
    lapic_out(f, 0, LVT_TIMER, 0x40);
    lapic_out(f, 0, INITIAL, 1000);
    clock_advance(f->clock, 8000);
    assert_int_equal(lapic_in(f, 0, CURRENT), 500);
    assert_false(lapic_pending(f->bus, 0));
    clock_advance(f->clock, 16000);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x40);
    assert_int_equal(lapic_in(f, 0, CURRENT), 0);
    lapic_out(f, 0, EOI, 0);
    clock_advance(f->clock, 64000);
    assert_false(lapic_pending(f->bus, 0));

    lapic_out(f, 0, LVT_TIMER, 0x20041);
    lapic_out(f, 0, INITIAL, 1000);
    for (unsigned i = 1; i <= 5; i++) {
        clock_advance(f->clock, 64000 + i * 16000);
        assert_int_equal(lapic_acknowledge(f->bus, 0), 0x41);
        lapic_out(f, 0, EOI, 0);
        assert_int_equal(lapic_in(f, 0, CURRENT), 1000);
    }
    lapic_out(f, 0, INITIAL, 0);
    clock_advance(f->clock, 1000000);
    assert_false(lapic_pending(f->bus, 0));
}

static void a_masked_timer_counts_in_silence(void **state)
{
    Fixture *f = *state;

    lapic_out(f, 0, DIVIDE, 0xB); /* by 1 */
    lapic_out(f, 0, LVT_TIMER, 0x10040);
    lapic_out(f, 0, INITIAL, 50000);
    assert_int_equal(clock_next_deadline_ns(f->clock), CLOCK_NEVER);
    clock_advance(f->clock, 20000);
    assert_int_equal(lapic_in(f, 0, CURRENT), 30000);
    lapic_out(f, 0, LVT_TIMER, 0x40);
    clock_advance(f->clock, 50000);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x40);
}

static void the_deadline_timer_follows_its_msr(void **state)
{
    Fixture *f = *state;
    uint64_t value;

    assert_true(lapic_write_msr(f->bus, 0, 0x6E0, 500)); /* not in that mode: ignored */
    lapic_out(f, 0, LVT_TIMER, 0x40042);
    assert_true(lapic_write_msr(f->bus, 0, 0x6E0, 5000));
    assert_true(lapic_read_msr(f->bus, 0, 0x6E0, &value));
    assert_int_equal(value, 5000);
    clock_advance(f->clock, 4999);
    assert_false(lapic_pending(f->bus, 0));
    clock_advance(f->clock, 5000);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x42);
    assert_true(lapic_read_msr(f->bus, 0, 0x6E0, &value));
    assert_int_equal(value, 0);
    lapic_out(f, 0, EOI, 0);
    lapic_write_msr(f->bus, 0, 0x6E0, 9000);
    lapic_write_msr(f->bus, 0, 0x6E0, 0);
    clock_advance(f->clock, 20000);
    assert_false(lapic_pending(f->bus, 0));
}

static void a_deadline_travels_with_the_registers(void **state)
{
    Fixture *f = *state;
    CpuApic apic;

    lapic_out(f, 0, LVT_TIMER, 0x40042);
    assert_true(lapic_write_msr(f->bus, 0, 0x6E0, 5000));
    lapic_get(f->bus, 0, &apic);
    assert_int_equal(apic.deadline_ns, 5000);
    lapic_write_msr(f->bus, 0, 0x6E0, 0);
    lapic_set(f->bus, 0, &apic);
    clock_advance(f->clock, 5000);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x42);
    lapic_get(f->bus, 0, &apic);
    assert_int_equal(apic.deadline_ns, 0);
}

static void x2apic_is_entered_and_left_by_the_book(void **state)
{
    Fixture *f = *state;
    const uint64_t base = APIC_BASE_DEFAULT;
    uint64_t value;

    assert_int_equal(lapic_page(f->bus, 1), base);
    assert_false(lapic_read_msr(f->bus, 1, 0x802, &value));
    assert_false(lapic_write_msr(f->bus, 1, 0x1B, base | UINT64_C(1) << CPU_PHYSICAL_BITS));
    assert_false(lapic_write_msr(f->bus, 1, 0x1B, base | 0x400));
    assert_true(lapic_write_msr(f->bus, 1, 0x1B, base | 0xC00));
    assert_int_equal(lapic_page(f->bus, 1), UINT64_MAX);
    assert_false(lapic_write_msr(f->bus, 1, 0x1B, base | 0x800));
    assert_true(lapic_read_msr(f->bus, 1, 0x802, &value));
    assert_int_equal(value, 1);
    assert_true(lapic_read_msr(f->bus, 1, 0x80D, &value));
    assert_int_equal(value, 2);
    assert_false(lapic_write_msr(f->bus, 1, 0x80D, 2));
    assert_false(lapic_read_msr(f->bus, 1, 0x80B, &value));
    assert_false(lapic_write_msr(f->bus, 1, 0x80B, 1));
    assert_false(lapic_write_msr(f->bus, 1, 0x80E, 0));
    assert_true(lapic_write_msr(f->bus, 1, 0x80B, 0));

    assert_true(lapic_write_msr(f->bus, 1, 0x830, UINT64_C(3) << 32 | 0x77));
    assert_int_equal(lapic_acknowledge(f->bus, 3), 0x77);
    assert_true(lapic_read_msr(f->bus, 1, 0x830, &value));
    assert_int_equal(value, UINT64_C(3) << 32 | 0x77);
    assert_true(lapic_write_msr(f->bus, 1, 0x83F, 0x78)); /* self IPI */
    assert_int_equal(lapic_acknowledge(f->bus, 1), 0x78);
    send(f, 0x0002, true, APIC_FIXED, 0x91); /* logical: cluster 0, bit 1 */
    assert_int_equal(lapic_acknowledge(f->bus, 1), 0x91);

    assert_true(lapic_write_msr(f->bus, 1, 0x1B, base));
    assert_false(lapic_write_msr(f->bus, 1, 0x1B, base | 0xC00)); /* off to x2APIC: no */
    assert_true(lapic_write_msr(f->bus, 1, 0x1B, base | 0x800));
    assert_int_equal(lapic_in(f, 1, SVR), 0xFF);
}

static void msi_reaches_the_apic(void **state)
{
    Fixture *f = *state;

    lapic_bus_send_msi(f->bus, 0xFEE02000, 0x0031);
    assert_int_equal(lapic_acknowledge(f->bus, 2), 0x31);
    lapic_bus_send_msi(f->bus, 0x12345000, 0x0032);
    for (unsigned i = 0; i < N_CPUS; i++)
        assert_false(lapic_pending(f->bus, i));
}

/* I/O APIC */

static void ioapic_write(Fixture *f, unsigned index, uint32_t value)
{
    f->ioapic->ops->write(f->ioapic, 0x00, 4, index);
    f->ioapic->ops->write(f->ioapic, 0x10, 4, value);
}

static uint32_t ioapic_read(Fixture *f, unsigned index)
{
    f->ioapic->ops->write(f->ioapic, 0x00, 4, index);
    return (uint32_t)f->ioapic->ops->read(f->ioapic, 0x10, 4);
}

static void route(Fixture *f, unsigned input, uint32_t low, uint8_t destination)
{
    ioapic_write(f, 0x11 + 2 * input, (uint32_t)destination << 24);
    ioapic_write(f, 0x10 + 2 * input, low);
}

static void an_edge_is_sent_once(void **state)
{
    Fixture *f = *state;

    assert_int_equal(ioapic_read(f, 1), 0x170020);
    assert_int_equal(ioapic_read(f, 0x10), 0x10000);
    route(f, 4, 0x34, 1);
    ioapic_set_irq((Ioapic *)f->ioapic, 4, true);
    ioapic_set_irq((Ioapic *)f->ioapic, 4, true);
    assert_int_equal(lapic_acknowledge(f->bus, 1), 0x34);
    lapic_out(f, 1, EOI, 0);
    assert_false(lapic_pending(f->bus, 1));
    ioapic_set_irq((Ioapic *)f->ioapic, 4, false);
    ioapic_set_irq((Ioapic *)f->ioapic, 4, true);
    assert_int_equal(lapic_acknowledge(f->bus, 1), 0x34);
}

static void a_level_is_sent_again_after_the_eoi_while_it_lasts(void **state)
{
    Fixture *f = *state;
    Ioapic *ioapic = (Ioapic *)f->ioapic;

    route(f, 16, 0xA050, 0);
    ioapic_set_irq(ioapic, 16, true);
    assert_int_equal(ioapic_read(f, 0x30), 0xE050); /* remote IRR */
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x50);
    assert_false(lapic_pending(f->bus, 0));
    lapic_out(f, 0, EOI, 0);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x50);
    ioapic_set_irq(ioapic, 16, false);
    lapic_out(f, 0, EOI, 0);
    assert_false(lapic_pending(f->bus, 0));
    assert_int_equal(ioapic_read(f, 0x30), 0xA050);
}

static void a_masked_level_waits_and_the_eoi_register_works(void **state)
{
    Fixture *f = *state;
    Ioapic *ioapic = (Ioapic *)f->ioapic;

    route(f, 17, 0x18051, 0);
    ioapic_set_irq(ioapic, 17, true);
    assert_false(lapic_pending(f->bus, 0));
    route(f, 17, 0x8051, 0);
    assert_int_equal(lapic_acknowledge(f->bus, 0), 0x51);
    f->ioapic->ops->write(f->ioapic, 0x40, 4, 0x51);
    assert_int_equal(lapic_in(f, 0, IRR + 0x20), 1u << 0x11); /* sent again */
    ioapic_set_irq(ioapic, 17, false);
    route(f, 17, 0x10051, 0); /* to edge: drops remote IRR */
    assert_int_equal(ioapic_read(f, 0x32), 0x10051);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(vectors_come_by_class_and_wait_for_the_eoi),
        TEST(the_task_priority_holds_vectors_back),
        TEST(messages_find_their_processors),
        TEST(lowest_priority_picks_one),
        TEST(ipis_and_their_shorthands),
        TEST(init_sipi_and_nmi_become_signals),
        TEST(a_soft_disabled_apic_masks_and_refuses),
        TEST(the_pic_comes_through_lint0_or_past_a_disabled_apic),
        TEST(errors_are_latched_by_a_write),
        TEST(a_bad_error_vector_does_not_recurse),
        TEST(the_timer_counts_once_or_again_and_again),
        TEST(a_masked_timer_counts_in_silence),
        TEST(the_deadline_timer_follows_its_msr),
        TEST(a_deadline_travels_with_the_registers),
        TEST(x2apic_is_entered_and_left_by_the_book),
        TEST(msi_reaches_the_apic),
        TEST(an_edge_is_sent_once),
        TEST(a_level_is_sent_again_after_the_eoi_while_it_lasts),
        TEST(a_masked_level_waits_and_the_eoi_register_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
