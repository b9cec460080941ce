/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/pci/pci.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>

typedef struct {
    PciDevice pci;
} Card;

static uint64_t card_read(Device *dev, uint64_t offset, unsigned size)
{
    return offset;
}

static const StateField card_state[] = { PCI_STATE(Card, pci), STATE_END };
static const DeviceOps card_ops = {
    .name = "card",
    .instance_size = sizeof(Card),
    .state = card_state,
    .min_access = 1,
    .max_access = 4,
    .read = card_read,
};

typedef struct {
    AddressSpace *memory, *ports;
    PciBus *bus;
    Ram *vram, *rom;
    Card *card;
    bool intx;
    unsigned intx_devfn, intx_pin, n_msi;
    uint64_t msi_address;
    uint32_t msi_data;
} Fixture;

static void on_intx(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    Fixture *f = opaque;

    f->intx = level;
    f->intx_devfn = devfn;
    f->intx_pin = pin;
}

static void on_msi(void *opaque, uint64_t address, uint32_t data)
{
    Fixture *f = opaque;

    f->n_msi++;
    f->msi_address = address;
    f->msi_data = data;
}

#define DEVFN PCI_DEVFN(3, 0)

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->memory = address_space_new("memory", UINT64_C(1) << 40);
    f->ports = address_space_new("ports", 1 << 16);
    f->bus = pci_bus_new(f->memory, f->ports, on_intx, on_msi, f);
    f->vram = ram_new("vram", 1 << 20, NULL);
    f->rom = ram_new("rom", 0x9000, NULL);
    f->rom->host[0] = 0x55;
    f->card = device_alloc(&card_ops, "card");
    pci_device_init(&f->card->pci, f->bus, DEVFN,
                    &(PciIdentity){ .vendor = 0x1234,
                                    .device = 0x5678,
                                    .subsystem_vendor = 0x1AF4,
                                    .subsystem = 0x1100,
                                    .class_code = 0x010601,
                                    .revision = 2,
                                    .interrupt_pin = 1 });
    pci_device_bar_io(&f->card->pci, 0, 0x20, 0x1000);
    pci_device_bar_mem(&f->card->pci, 1, PCI_BAR_MEM32, 0x1000, 0x2000);
    pci_device_bar_ram(&f->card->pci, 2, PCI_BAR_MEM64_PREFETCH, f->vram);
    pci_device_rom(&f->card->pci, f->rom);
    pci_device_add_msi(&f->card->pci);
    pci_device_reset(&f->card->pci);
    pci_device_update(&f->card->pci);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    pci_device_clear(&f->card->pci);
    device_free(&f->card->pci.dev);
    pci_bus_free(f->bus);
    address_space_free(f->memory);
    address_space_free(f->ports);
    ram_free(f->vram);
    ram_free(f->rom);
    g_free(f);
    return 0;
}

static uint32_t config(Fixture *f, unsigned offset, unsigned size)
{
    return pci_config_read(f->bus, 0, DEVFN, offset, size);
}

static void set(Fixture *f, unsigned offset, unsigned size, uint32_t value)
{
    pci_config_write(f->bus, 0, DEVFN, offset, size, value);
}

static void identity_is_read_only(void **state)
{
    Fixture *f = *state;

    set(f, 0, 4, 0);
    set(f, 0x2C, 4, 0);
    assert_int_equal(config(f, 0, 4), 0x56781234);
    assert_int_equal(config(f, 8, 4), 0x01060102);
    assert_int_equal(config(f, 0x2C, 4), 0x11001AF4);
    assert_int_equal(config(f, 0x3D, 1), 1);
}

static void nobody_there_reads_all_ones(void **state)
{
    Fixture *f = *state;

    assert_int_equal(pci_config_read(f->bus, 0, PCI_DEVFN(4, 0), 0, 4), 0xFFFFFFFF);
    assert_int_equal(pci_config_read(f->bus, 1, DEVFN, 0, 2), 0xFFFF);
    assert_int_equal(pci_config_read(f->bus, 0, DEVFN, 0xFFE, 4), 0xFFFFFFFF);
    pci_config_write(f->bus, 0, PCI_DEVFN(4, 0), 0, 4, 0);
}

static void bars_tell_their_size_without_being_mapped(void **state)
{
    Fixture *f = *state;

    set(f, 4, 2, 3);
    for (unsigned offset = 0x10; offset < 0x28; offset += 4)
        set(f, offset, 4, 0xFFFFFFFF);
    set(f, 0x30, 4, 0xFFFFFFFE);
    assert_int_equal(config(f, 0x10, 4), 0xFFFFFFE1);
    assert_int_equal(config(f, 0x14, 4), 0xFFFFF000);
    assert_int_equal(config(f, 0x18, 4), 0xFFF0000C);
    assert_int_equal(config(f, 0x1C, 4), 0xFFFFFFFF);
    assert_int_equal(config(f, 0x20, 4), 0);
    assert_int_equal(config(f, 0x30, 4), 0xFFFF0000); /* 36 KiB rounded to 64 */
    assert_int_equal(address_space_view(f->memory)->n, 0);
    assert_int_equal(address_space_view(f->ports)->n, 0);
}

static void windows_answer_while_the_command_allows(void **state)
{
    Fixture *f = *state;

    set(f, 0x10, 4, 0xC000);
    set(f, 0x14, 4, 0xFEBF0000);
    set(f, 0x18, 4, 0x00000000);
    set(f, 0x1C, 4, 0x00000008);
    assert_int_equal(address_space_read(f->ports, 0xC004, 4), 0xFFFFFFFF);
    set(f, 4, 2, 1);
    assert_int_equal(address_space_read(f->ports, 0xC004, 4), 0x1004);
    assert_int_equal(address_space_read(f->memory, 0xFEBF0010, 4), 0xFFFFFFFF);
    set(f, 4, 2, 2);
    assert_int_equal(address_space_read(f->ports, 0xC004, 4), 0xFFFFFFFF);
    assert_int_equal(address_space_read(f->memory, 0xFEBF0010, 4), 0x2010);
    f->vram->host[5] = 0x5A;
    assert_int_equal(address_space_read(f->memory, 0x800000005, 1), 0x5A); /* above 4 GiB */

    set(f, 0x14, 4, 0xFEB00000); /* moves */
    assert_int_equal(address_space_read(f->memory, 0xFEBF0010, 4), 0xFFFFFFFF);
    assert_int_equal(address_space_read(f->memory, 0xFEB00010, 4), 0x2010);

    set(f, 0x30, 4, 0xFEA00000);
    assert_int_equal(address_space_read(f->memory, 0xFEA00000, 1), 0xFF);
    set(f, 0x30, 4, 0xFEA00001);
    assert_int_equal(address_space_read(f->memory, 0xFEA00000, 1), 0x55);

    pci_device_reset(&f->card->pci);
    pci_device_update(&f->card->pci);
    assert_int_equal(address_space_view(f->memory)->n, 0);
    assert_int_equal(config(f, 0x18, 4), 0x0000000C);
}

static void intx_follows_the_device_and_the_disable_bit(void **state)
{
    Fixture *f = *state;

    pci_device_set_irq(&f->card->pci, true);
    assert_true(f->intx);
    assert_int_equal(f->intx_devfn, DEVFN);
    assert_int_equal(f->intx_pin, 0);
    assert_int_equal(config(f, 6, 2) & 8, 8);
    set(f, 4, 2, 0x400);
    assert_false(f->intx);
    assert_int_equal(config(f, 6, 2) & 8, 8);
    set(f, 4, 2, 0);
    assert_true(f->intx);
    pci_device_set_irq(&f->card->pci, false);
    assert_false(f->intx);
    assert_int_equal(config(f, 6, 2) & 8, 0);
}

static void msi_replaces_intx_with_one_message_an_edge(void **state)
{
    Fixture *f = *state;
    unsigned msi = config(f, 0x34, 1);

    assert_int_equal(config(f, 6, 2) & 0x10, 0x10);
    assert_int_equal(config(f, msi, 1), 5);
    set(f, msi + 4, 4, 0xFEE01003);
    set(f, msi + 8, 4, 0);
    set(f, msi + 12, 2, 0x4041);
    set(f, msi + 2, 2, 1);
    set(f, 4, 2, 4);
    pci_device_set_irq(&f->card->pci, true);
    pci_device_set_irq(&f->card->pci, true);
    assert_false(f->intx);
    assert_int_equal(f->n_msi, 1);
    assert_int_equal(f->msi_address, 0xFEE01000);
    assert_int_equal(f->msi_data, 0x4041);
    pci_device_set_irq(&f->card->pci, false);
    set(f, 4, 2, 0); /* no bus master, no message */
    pci_device_set_irq(&f->card->pci, true);
    assert_int_equal(f->n_msi, 1);
}

static void mechanism_1_and_ecam_reach_the_same_registers(void **state)
{
    Fixture *f = *state;
    uint32_t address = 0x80000000 | DEVFN << 8;

    assert_int_equal(pci_type1_read(f->bus, address, 2, 2), 0x5678);
    assert_int_equal(pci_type1_read(f->bus, address & 0x7FFFFFFF, 0, 4), 0xFFFFFFFF);
    pci_type1_write(f->bus, address | 0x3C, 0, 1, 11);
    assert_int_equal(pci_ecam_read(f->bus, DEVFN << 12 | 0x3C, 1), 11);
    pci_ecam_write(f->bus, DEVFN << 12 | 0x3C, 1, 10);
    assert_int_equal(config(f, 0x3C, 1), 10);
    assert_int_equal(pci_ecam_read(f->bus, DEVFN << 12 | 0x100, 4), 0);
    assert_int_equal(pci_ecam_read(f->bus, 1 << 20, 4), 0xFFFFFFFF);
}

static void a_loaded_state_maps_its_windows(void **state)
{
    Fixture *f = *state;
    g_autoptr(GByteArray) blob = g_byte_array_new();
    size_t used;

    set(f, 0x14, 4, 0xFEBF0000);
    set(f, 4, 2, 2);
    pci_device_set_irq(&f->card->pci, true);
    state_save(f->card, card_state, 0, blob);
    pci_device_reset(&f->card->pci);
    pci_device_update(&f->card->pci);
    assert_false(f->intx);
    assert_true(state_load(f->card, card_state, 0, blob->data, blob->len, &used, NULL));
    pci_device_update(&f->card->pci);
    assert_int_equal(address_space_read(f->memory, 0xFEBF0010, 4), 0x2010);
    assert_true(f->intx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(identity_is_read_only),
        TEST(nobody_there_reads_all_ones),
        TEST(bars_tell_their_size_without_being_mapped),
        TEST(windows_answer_while_the_command_allows),
        TEST(intx_follows_the_device_and_the_disable_bit),
        TEST(msi_replaces_intx_with_one_message_an_edge),
        TEST(mechanism_1_and_ecam_reach_the_same_registers),
        TEST(a_loaded_state_maps_its_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
