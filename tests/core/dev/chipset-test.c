/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The host bridge and the LPC bridge, programmed as firmware does. */

#include "dev-fixture.h"

#include "core/dev/lpc.h"
#include "core/dev/mch.h"
#include <string.h>

#define RAM_SIZE 0x100000u
#define BIOS_SIZE 0x40000u

/* Stands for the ACPI ports and tells who was read. */
static const StateField probe_state[] = { STATE_END };

static uint64_t probe_read(Device *dev, uint64_t offset, unsigned size)
{
    return 0x50 + offset;
}

static void probe_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
}

static const DeviceOps probe_ops = { .name = "probe",
                                     .instance_size = sizeof(Device),
                                     .state_version = 1,
                                     .state = probe_state,
                                     .min_access = 1,
                                     .max_access = 1,
                                     .read = probe_read,
                                     .write = probe_write };

typedef struct {
    Board *board;
    PciBus *bus;
    Ram *ram, *bios;
    Device *mch, *lpc, *acpi_pm;
} Fixture;

/* Fake lines: 0-15 the PIC's, 16-23 the I/O APIC's. */
static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);
    Machine *machine;
    LpcWiring wiring;

    f->board = board_new();
    machine = &f->board->machine;
    f->bus = pci_bus_new(machine->memory, machine->ports, NULL, NULL, NULL);
    f->ram = ram_new("ram", RAM_SIZE, NULL);
    f->bios = ram_new("bios", BIOS_SIZE, NULL);
    memset(f->bios->host, 0xB1, BIOS_SIZE);
    address_space_map_ram(machine->memory, 0, RAM_SIZE, MAP_PRIORITY_RAM, f->ram, 0);
    f->acpi_pm = device_alloc(&probe_ops, "probe");
    wiring = (LpcWiring){ .memory = machine->memory,
                          .ports = machine->ports,
                          .bus = f->bus,
                          .acpi_pm = f->acpi_pm,
                          .x87_error = board_line(f->board, 13) };
    for (unsigned i = 0; i < 13; i++)
        wiring.pic[i] = board_line(f->board, i);
    for (unsigned i = 0; i < 8; i++)
        wiring.ioapic[i] = board_line(f->board, 16 + i);
    f->lpc = lpc_new(&wiring);
    f->mch = mch_new(&(MchWiring){ .memory = machine->memory,
                                   .ports = machine->ports,
                                   .bus = f->bus,
                                   .ram = f->ram,
                                   .bios = f->bios,
                                   .reset_device = f->lpc,
                                   .reset_offset = LPC_RESET_CONTROL });
    board_plug(f->board, f->acpi_pm);
    board_plug(f->board, f->lpc);
    board_plug(f->board, f->mch);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    device_free(f->mch);
    device_free(f->lpc);
    device_free(f->acpi_pm);
    pci_bus_free(f->bus);
    board_free(f->board);
    ram_free(f->ram);
    ram_free(f->bios);
    g_free(f);
    return 0;
}

static void config_write(Fixture *f, uint8_t devfn, uint8_t reg, unsigned size, uint32_t value)
{
    board_out(f->board, 0xCF8, 4, 0x80000000u | devfn << 8 | (reg & 0xFC));
    board_out(f->board, 0xCFC + (reg & 3), size, value);
}

static uint32_t config_read(Fixture *f, uint8_t devfn, uint8_t reg, unsigned size)
{
    board_out(f->board, 0xCF8, 4, 0x80000000u | devfn << 8 | (reg & 0xFC));
    return board_in(f->board, 0xCFC + (reg & 3), size);
}

static uint8_t peek(Fixture *f, uint64_t gpa)
{
    return address_space_read(f->board->machine.memory, gpa, 1);
}

static void poke(Fixture *f, uint64_t gpa, uint8_t value)
{
    address_space_write(f->board->machine.memory, gpa, 1, value);
}

enum { MCH = PCI_DEVFN(0, 0), LPC = PCI_DEVFN(31, 0) };

static void host_bridge_shows_the_identity_that_seabios_looks_for(void **state)
{
    Fixture *f = *state;

    assert_int_equal(config_read(f, MCH, 0x00, 4), 0x29C08086);
    assert_int_equal(config_read(f, MCH, 0x2C, 4), 0x11001AF4);
    assert_int_equal(config_read(f, LPC, 0x00, 4), 0x29188086);
    assert_int_equal(config_read(f, LPC, 0x0E, 1) & 0x80, 0x80);
    assert_int_equal(config_read(f, PCI_DEVFN(5, 0), 0x00, 4), 0xFFFFFFFF);
}

static void bios_answers_until_it_is_shadowed(void **state)
{
    Fixture *f = *state;

    assert_int_equal(peek(f, 0xF0000), 0xB1);
    assert_int_equal(peek(f, 0xE0000), 0xB1);
    assert_int_equal(peek(f, 0xC0000), 0xFF);
    poke(f, 0xF0000, 0x11);
    assert_int_equal(f->ram->host[0xF0000], 0);

    config_write(f, MCH, 0x90, 1, 0x30);
    assert_int_equal(peek(f, 0xF0000), 0);
    poke(f, 0xF0000, 0x22);
    assert_int_equal(peek(f, 0xF0000), 0x22);
}

static void write_only_shadow_copies_the_bios_down(void **state)
{
    Fixture *f = *state;

    config_write(f, MCH, 0x90, 1, 0x20);
    poke(f, 0xFFFFF, 0x33);
    assert_int_equal(peek(f, 0xFFFFF), 0xB1);
    assert_int_equal(f->ram->host[0xFFFFF], 0x33);
    config_write(f, MCH, 0x90, 1, 0x10);
    assert_int_equal(peek(f, 0xFFFFF), 0x33);
    poke(f, 0xFFFFF, 0x44);
    assert_int_equal(f->ram->host[0xFFFFF], 0x33);
}

static void each_small_segment_has_its_own_nibble(void **state)
{
    Fixture *f = *state;

    for (unsigned i = 0; i < 12; i++) {
        uint32_t start = 0xC0000 + i * 0x4000;
        f->ram->host[start] = f->ram->host[start + 0x3FFF] = 0x60 + i;
        config_write(f, MCH, 0x91 + i / 2, 1, i & 1 ? 0x10 : 0x01);
        assert_int_equal(peek(f, start), 0x60 + i);
        assert_int_equal(peek(f, start + 0x3FFF), 0x60 + i);
        poke(f, start, 0);
        assert_int_equal(peek(f, start), 0x60 + i);
        config_write(f, MCH, 0x91 + i / 2, 1, i & 1 ? 0x20 : 0x02);
        assert_int_equal(peek(f, start), i < 8 ? 0xFF : 0xB1);
        poke(f, start, 0x77);
        assert_int_equal(f->ram->host[start], 0x77);
    }
}

static void configuration_window_follows_pciexbar(void **state)
{
    Fixture *f = *state;
    AddressSpace *memory = f->board->machine.memory;

    assert_int_equal(mch_ecam_base((Mch *)f->mch), 0);
    config_write(f, MCH, 0x60, 4, 0xB0000001);
    assert_int_equal(mch_ecam_base((Mch *)f->mch), 0xB0000000);
    assert_int_equal(address_space_read(memory, 0xB00F8000, 4), 0x29188086);
    assert_int_equal(address_space_read(memory, 0xB0100000, 4), 0xFFFFFFFF);
    config_write(f, MCH, 0x60, 4, 0xC0000001);
    assert_int_equal(address_space_read(memory, 0xC0000000, 4), 0x29C08086);
    assert_int_equal(address_space_read(memory, 0xB0000000, 4), 0xFFFFFFFF);
}

static void acpi_ports_follow_pmbase(void **state)
{
    Fixture *f = *state;

    config_write(f, LPC, 0x40, 4, 0x601);
    assert_int_equal(board_in(f->board, 0x600, 1), 0xFF);
    config_write(f, LPC, 0x44, 1, 0x80);
    assert_int_equal(board_in(f->board, 0x608, 1), 0x58);
    config_write(f, LPC, 0x40, 4, 0xB001);
    assert_int_equal(board_in(f->board, 0x608, 1), 0xFF);
    assert_int_equal(board_in(f->board, 0xB004, 1), 0x54);
    assert_int_equal(lpc_pm_base((Lpc *)f->lpc), 0xB000);
}

static void intx_reaches_both_interrupt_controllers(void **state)
{
    Fixture *f = *state;
    Lpc *lpc = (Lpc *)f->lpc;

    /* Slot 31 has PIRQA for INTA#; slot 1 starts at F. */
    assert_int_equal(lpc_pirq(lpc, PCI_DEVFN(31, 2), 0), 0);
    assert_int_equal(lpc_pirq(lpc, PCI_DEVFN(1, 0), 0), 5);
    assert_int_equal(lpc_pirq(lpc, PCI_DEVFN(1, 0), 3), 4);
    lpc_set_intx(lpc, PCI_DEVFN(31, 2), 0, true);
    assert_true(f->board->line[16].level);
    assert_false(f->board->line[10].level); /* not routed yet */
    config_write(f, LPC, 0x60, 1, 0x0A);
    assert_true(f->board->line[10].level);
    config_write(f, LPC, 0x60, 1, 0x80);
    assert_false(f->board->line[10].level);
}

static void a_shared_wire_is_up_while_anybody_pulls_it(void **state)
{
    Fixture *f = *state;
    Lpc *lpc = (Lpc *)f->lpc;

    config_write(f, LPC, 0x60, 1, 0x0B);
    config_write(f, LPC, 0x69, 1, 0x0B); /* F */
    lpc_set_intx(lpc, PCI_DEVFN(31, 2), 0, true);
    lpc_set_intx(lpc, PCI_DEVFN(1, 0), 0, true);
    lpc_set_intx(lpc, PCI_DEVFN(31, 2), 0, false);
    assert_true(f->board->line[11].level);
    lpc_set_intx(lpc, PCI_DEVFN(1, 0), 0, false);
    assert_false(f->board->line[11].level);
}

static void reset_ports_ask_for_a_reset(void **state)
{
    Fixture *f = *state;

    board_out(f->board, 0xCF9, 1, 0x02);
    assert_int_equal(f->board->resets, 0);
    board_out(f->board, 0xCF9, 1, 0x06);
    assert_int_equal(f->board->resets, 1);
    assert_int_equal(board_in(f->board, 0xCF9, 1), 0x02);
    board_out(f->board, 0x92, 1, 0x01);
    assert_int_equal(f->board->resets, 2);
    board_out(f->board, 0x92, 1, 0x03); /* no edge */
    assert_int_equal(f->board->resets, 2);
    /* The host bridge's own register lies around the reset port. */
    board_out(f->board, 0xCF8, 4, 0x80000600);
    assert_int_equal(f->board->resets, 2);
    assert_int_equal(board_in(f->board, 0xCF8, 4), 0x80000600);
}

static void port_92_moves_the_a20_gate(void **state)
{
    Fixture *f = *state;

    assert_true(f->board->a20); /* open after reset */
    board_out(f->board, 0x92, 1, 0x00);
    assert_false(f->board->a20);
    board_out(f->board, 0x92, 1, 0x02);
    assert_true(f->board->a20);
}

static void fpu_error_is_cleared_by_port_f0(void **state)
{
    Fixture *f = *state;

    lpc_raise_x87_error((Lpc *)f->lpc);
    assert_true(f->board->line[13].level);
    board_out(f->board, 0xF0, 1, 0);
    assert_false(f->board->line[13].level);
}

static void programming_survives_save_and_load(void **state)
{
    Fixture *f = *state;

    config_write(f, MCH, 0x90, 1, 0x30);
    config_write(f, MCH, 0x60, 4, 0xB0000001);
    config_write(f, LPC, 0x40, 4, 0x601);
    config_write(f, LPC, 0x44, 1, 0x80);
    board_save_and_load(f->mch);
    board_save_and_load(f->lpc);
    assert_int_equal(peek(f, 0xF0000), 0);
    assert_int_equal(mch_ecam_base((Mch *)f->mch), 0xB0000000);
    assert_int_equal(board_in(f->board, 0x604, 1), 0x54);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(host_bridge_shows_the_identity_that_seabios_looks_for),
        TEST(bios_answers_until_it_is_shadowed),
        TEST(write_only_shadow_copies_the_bios_down),
        TEST(each_small_segment_has_its_own_nibble),
        TEST(configuration_window_follows_pciexbar),
        TEST(acpi_ports_follow_pmbase),
        TEST(intx_reaches_both_interrupt_controllers),
        TEST(a_shared_wire_is_up_while_anybody_pulls_it),
        TEST(reset_ports_ask_for_a_reset),
        TEST(port_92_moves_the_a20_gate),
        TEST(fpu_error_is_cleared_by_port_f0),
        TEST(programming_survives_save_and_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
