/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The controller driven as a guest's driver does: structures in guest memory, registers through the
 * bus, a disk on port 0 and a CD drive on port 1. */

#include "core/block/disk-format.h"
#include "core/dev/ahci.h"
#include "core/memory/dma.h"
#include "dev-fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define BAR 0xF0000000u
#define RAM_SIZE (4u << 20)
#define LIST 0x1000u     /* command list, + port * 0x1000 */
#define FIS_BASE 0x8000u /* received FISes, + port * 0x1000 */
#define TABLE 0x10000u   /* command tables, + slot * 0x1000 */
#define DATA 0x100000u
#define DISK_SECTORS 4096u
#define CD_SECTORS 512u

enum { GHC = 0x04, IS = 0x08 };
enum {
    CLB = 0x00,
    FB = 0x08,
    PIS = 0x10,
    PIE = 0x14,
    CMD = 0x18,
    TFD = 0x20,
    SIG = 0x24,
    SSTS = 0x28,
    SCTL = 0x2C,
    SERR = 0x30,
    SACT = 0x34,
    CI = 0x38
};

typedef struct {
    Board *board;
    Ram *ram;
    Device *dev;
    Ahci *ahci;
    Disk *disk, *cd;
    char *disk_path, *cd_path;
    unsigned n_msi;
    bool intx;
} Fixture;

static uint32_t hba_read(Fixture *f, unsigned reg)
{
    device_enter(f->dev);
    uint32_t value = (uint32_t)address_space_read(f->board->machine.memory, BAR + reg, 4);
    device_leave(f->dev);
    return value;
}

static void hba_write(Fixture *f, unsigned reg, uint32_t value)
{
    device_enter(f->dev);
    address_space_write(f->board->machine.memory, BAR + reg, 4, value);
    device_leave(f->dev);
}

static uint32_t port_read(Fixture *f, unsigned port, unsigned reg)
{
    return hba_read(f, 0x100 + port * 0x80 + reg);
}

static void port_write(Fixture *f, unsigned port, unsigned reg, uint32_t value)
{
    hba_write(f, 0x100 + port * 0x80 + reg, value);
}

static void put32(Fixture *f, uint64_t gpa, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    memcpy(f->ram->host + gpa, &value, 4);
}

static uint32_t get32(Fixture *f, uint64_t gpa)
{
    uint32_t value;
    memcpy(&value, f->ram->host + gpa, 4);
    return GUINT32_FROM_LE(value);
}

/* --- fixture ---------------------------------------------------------------------------------- */

static void on_intx(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    ((Fixture *)opaque)->intx = level;
}

static void on_msi(void *opaque, uint64_t address, uint32_t data)
{
    ((Fixture *)opaque)->n_msi++;
}

static char *make_image(uint64_t size, uint8_t seed, unsigned sector)
{
    char *path = NULL;
    int fd = g_file_open_tmp("vitrine-ahci-XXXXXX", &path, NULL);
    g_autofree uint8_t *bytes = g_malloc(size);
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(seed + i / sector + i % sector);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    return path;
}

static void start_port(Fixture *f, unsigned port)
{
    port_write(f, port, CLB, LIST + port * 0x1000);
    port_write(f, port, FB, FIS_BASE + port * 0x1000);
    port_write(f, port, SERR, 0xFFFFFFFF);
    port_write(f, port, CMD, 0x10);
    port_write(f, port, PIS, 0xFFFFFFFF);
    port_write(f, port, PIE, 0x7DC000FF & ~0x40u);
    port_write(f, port, CMD, 0x11);
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);
    f->board = board_new();
    Machine *m = &f->board->machine;
    pci_bus_free(m->pci);
    m->pci = pci_bus_new(m->memory, m->ports, on_intx, on_msi, f);
    f->ram = ram_new("ram", RAM_SIZE, NULL);
    address_space_map_ram(m->memory, 0, RAM_SIZE, 0, f->ram, 0);
    f->disk_path = make_image(DISK_SECTORS * 512, 1, 512);
    f->cd_path = make_image(CD_SECTORS * 2048, 9, 2048);
    f->disk = disk_open(f->disk_path, NULL, NULL);
    f->cd = disk_open(f->cd_path, &(DiskOptions){ .read_only = true }, NULL);
    f->dev = ahci_new(m->pci, PCI_DEVFN(31, 2));
    f->ahci = (Ahci *)f->dev;
    ahci_attach_disk(f->ahci, 0, f->disk, "VT00000001");
    ahci_attach_cdrom(f->ahci, 1, f->cd);
    g_rec_mutex_lock(&m->lock);
    board_plug(f->board, f->dev);
    pci_config_write(m->pci, 0, PCI_DEVFN(31, 2), 0x24, 4, BAR);
    pci_config_write(m->pci, 0, PCI_DEVFN(31, 2), 0x20, 4, 0xC000);
    pci_config_write(m->pci, 0, PCI_DEVFN(31, 2), 0x04, 2, 7);
    g_rec_mutex_unlock(&m->lock);
    hba_write(f, GHC, 0x80000002);
    start_port(f, 0);
    start_port(f, 1);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;
    disk_free(f->disk);
    disk_free(f->cd);
    device_free(f->dev);
    ram_free(f->ram);
    board_free(f->board);
    g_unlink(f->disk_path);
    g_unlink(f->cd_path);
    g_free(f->disk_path);
    g_free(f->cd_path);
    g_free(f);
    return 0;
}

/* --- commands --------------------------------------------------------------------------------- */

typedef struct {
    uint8_t command, device;
    uint16_t feature, count;
    uint64_t lba;
    const uint8_t *packet;
    bool write;
    uint64_t gpa; /* of the data; 0: DATA */
    uint32_t bytes;
} Command;

/* Fills slot @slot; one descriptor for the data. */
static void prepare(Fixture *f, unsigned port, unsigned slot, const Command *c)
{
    uint64_t header = LIST + port * 0x1000 + slot * 32, table = TABLE + slot * 0x1000;
    uint8_t *fis = f->ram->host + table;

    memset(fis, 0, 0x100);
    fis[0] = 0x27;
    fis[1] = 0x80;
    fis[2] = c->command;
    fis[3] = (uint8_t)c->feature;
    fis[11] = (uint8_t)(c->feature >> 8);
    fis[12] = (uint8_t)c->count;
    fis[13] = (uint8_t)(c->count >> 8);
    fis[7] = c->device ? c->device : 0x40;
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(c->lba >> 8 * i);
        fis[8 + i] = (uint8_t)(c->lba >> (24 + 8 * i));
    }
    if (c->packet)
        memcpy(fis + 0x40, c->packet, 12);
    put32(f, header, (c->bytes ? 1u << 16 : 0) | c->write << 6 | (c->packet ? 1u << 5 : 0) | 5);
    put32(f, header + 4, 0);
    put32(f, header + 8, (uint32_t)table);
    put32(f, header + 12, 0);
    uint64_t gpa = c->gpa ? c->gpa : DATA;
    put32(f, table + 0x80, (uint32_t)gpa);
    put32(f, table + 0x84, (uint32_t)(gpa >> 32));
    put32(f, table + 0x8C, c->bytes - 1);
}

/* Waits for PxIS, the interrupt's way; returns it cleared. */
static uint32_t wait_is(Fixture *f, unsigned port)
{
    for (int i = 0; i < 5000; i++) {
        uint32_t is = port_read(f, port, PIS);
        if (is) {
            port_write(f, port, PIS, is);
            return is;
        }
        g_usleep(1000);
    }
    fail_msg("no interrupt");
    return 0;
}

static uint32_t run(Fixture *f, unsigned port, const Command *c)
{
    prepare(f, port, 0, c);
    port_write(f, port, CI, 1);
    return wait_is(f, port);
}

static void restart(Fixture *f, unsigned port)
{
    port_write(f, port, CMD, 0x10);
    assert_int_equal(port_read(f, port, CMD) & 0x8001, 0);
    port_write(f, port, PIS, 0xFFFFFFFF);
    port_write(f, port, CMD, 0x11);
}

static uint8_t disk_byte(uint64_t lba, unsigned i)
{
    return (uint8_t)(1 + lba + i);
}

/* --- disk ------------------------------------------------------------------------------------- */

static void reset_shows_signatures_and_links(void **state)
{
    Fixture *f = *state;
    assert_int_equal(port_read(f, 0, SIG), 0x00000101);
    assert_int_equal(port_read(f, 1, SIG), 0xEB140101);
    assert_int_equal(port_read(f, 0, SSTS), 0x123);
    assert_int_equal(port_read(f, 2, SSTS), 0);
    assert_int_equal(port_read(f, 0, TFD), 0x150);
    assert_int_equal(port_read(f, 2, TFD), 0x7F);
    assert_int_equal(f->ram->host[FIS_BASE + 0x40], 0x34);
    assert_int_equal(hba_read(f, 0x0C), 0x3F);
}

static void index_and_data_ports_reach_the_registers(void **state)
{
    Fixture *f = *state;
    board_out(f->board, 0xC010, 4, 0x0C);
    assert_int_equal(board_in(f->board, 0xC014, 4), 0x3F);
}

static void identify_tells_size_and_ends_by_pio_setup(void **state)
{
    Fixture *f = *state;
    uint32_t is = run(f, 0, &(Command){ .command = 0xEC, .bytes = 512 });
    assert_int_equal(is & 0x43, 0x02);
    assert_int_equal(get32(f, DATA + 200), DISK_SECTORS);
    uint8_t sum = 0;
    for (unsigned i = 0; i < 512; i++)
        sum += f->ram->host[DATA + i];
    assert_int_equal(sum, 0);
    assert_memory_equal(f->ram->host + DATA + 20, "TV00000010", 10);
    assert_int_equal(f->ram->host[FIS_BASE + 0x20], 0x5F);
    assert_int_equal(get32(f, LIST + 4), 512);
    assert_int_equal(port_read(f, 0, CI), 0);
    assert_int_equal(port_read(f, 0, TFD), 0x50);
}

static void dma_read_brings_the_sectors(void **state)
{
    Fixture *f = *state;
    uint32_t is = run(f, 0, &(Command){ .command = 0x25, .count = 8, .lba = 1000, .bytes = 4096 });
    assert_int_equal(is, 1);
    for (unsigned i = 0; i < 4096; i++)
        assert_int_equal(f->ram->host[DATA + i], disk_byte(1000 + i / 512, i % 512));
    assert_int_equal(get32(f, LIST + 4), 4096);
    assert_int_equal(f->ram->host[FIS_BASE + 0x42], 0x50);
}

static void dma_write_reaches_the_disk(void **state)
{
    Fixture *f = *state;
    memset(f->ram->host + DATA, 0xA5, 1024);
    assert_int_equal(
        run(f, 0,
            &(Command){ .command = 0x35, .count = 2, .lba = 7, .write = true, .bytes = 1024 }),
        1);
    assert_int_equal(run(f, 0, &(Command){ .command = 0xEA }), 1);
    uint8_t out[1536];
    assert_true(disk_read(f->disk, 7 * 512, out, sizeof out, NULL));
    assert_int_equal(out[0], 0xA5);
    assert_int_equal(out[1023], 0xA5);
    assert_int_equal(out[1024], disk_byte(9, 0));
}

static void scattered_descriptors_are_followed(void **state)
{
    Fixture *f = *state;
    prepare(f, 0, 0, &(Command){ .command = 0xC8, .count = 2, .lba = 20, .bytes = 1024 });
    put32(f, LIST, 3u << 16 | 5);
    static const uint32_t at[3] = { DATA + 0x5002, DATA, DATA + 0x9FFE };
    static const uint32_t length[3] = { 100, 400, 4096 };
    for (unsigned i = 0; i < 3; i++) {
        put32(f, TABLE + 0x80 + i * 16, at[i]);
        put32(f, TABLE + 0x84 + i * 16, 0);
        put32(f, TABLE + 0x8C + i * 16, length[i] - 1);
    }
    port_write(f, 0, CI, 1);
    assert_int_equal(wait_is(f, 0), 1);
    unsigned byte = 0;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j < length[i] && byte < 1024; j++, byte++)
            assert_int_equal(f->ram->host[at[i] + j], disk_byte(20 + byte / 512, byte % 512));
    }
    assert_int_equal(f->ram->host[at[2] + 524], 0);
}

static void queued_reads_finish_by_set_device_bits(void **state)
{
    Fixture *f = *state;
    for (unsigned tag = 0; tag < 32; tag++)
        prepare(f, 0, tag,
                &(Command){ .command = 0x60,
                            .feature = 1,
                            .count = (uint16_t)(tag << 3),
                            .lba = tag * 10,
                            .gpa = DATA + tag * 512,
                            .bytes = 512 });
    port_write(f, 0, SACT, 0xFFFFFFFF);
    port_write(f, 0, CI, 0xFFFFFFFF);
    for (int i = 0; i < 5000 && port_read(f, 0, SACT); i++)
        g_usleep(1000);
    assert_int_equal(port_read(f, 0, SACT), 0);
    assert_int_equal(port_read(f, 0, CI), 0);
    assert_int_equal(port_read(f, 0, PIS), 8);
    assert_int_equal(f->ram->host[FIS_BASE + 0x58], 0xA1);
    for (unsigned tag = 0; tag < 32; tag++)
        assert_int_equal(f->ram->host[DATA + tag * 512 + 5], disk_byte(tag * 10, 5));
}

static void address_past_the_end_is_a_task_file_error(void **state)
{
    Fixture *f = *state;
    uint32_t is = run(
        f, 0, &(Command){ .command = 0x25, .count = 2, .lba = DISK_SECTORS - 1, .bytes = 1024 });
    assert_int_equal(is & 0x40000001, 0x40000001);
    assert_int_equal(port_read(f, 0, TFD), 0x1051);
    assert_int_equal(port_read(f, 0, CI), 1);
    restart(f, 0);
    assert_int_equal(port_read(f, 0, CI), 0);
    is =
        run(f, 0, &(Command){ .command = 0x25, .count = 1, .lba = DISK_SECTORS - 1, .bytes = 512 });
    assert_int_equal(is, 1);
}

static void failed_queued_command_is_named_in_the_log(void **state)
{
    Fixture *f = *state;
    prepare(f, 0, 5,
            &(Command){
                .command = 0x60, .feature = 1, .count = 5 << 3, .lba = 1u << 30, .bytes = 512 });
    port_write(f, 0, SACT, 1 << 5);
    port_write(f, 0, CI, 1 << 5);
    assert_int_equal(wait_is(f, 0) & 0x40000008, 0x40000008);
    assert_int_equal(port_read(f, 0, SACT), 1 << 5);
    restart(f, 0);
    run(f, 0, &(Command){ .command = 0x2F, .count = 1, .lba = 0x10, .bytes = 512 });
    assert_int_equal(f->ram->host[DATA], 5);
    assert_int_equal(f->ram->host[DATA + 3], 0x10);
}

static void unknown_command_is_aborted(void **state)
{
    Fixture *f = *state;
    assert_true(run(f, 0, &(Command){ .command = 0xFE }) & 0x40000000);
    assert_int_equal(port_read(f, 0, TFD), 0x451);
}

static void trim_gives_up_the_ranges(void **state)
{
    Fixture *f = *state;
    memset(f->ram->host + DATA, 0, 512);
    put32(f, DATA, 16);
    put32(f, DATA + 4, 8u << 16);
    assert_int_equal(
        run(f, 0,
            &(Command){ .command = 0x06, .feature = 1, .count = 1, .write = true, .bytes = 512 }),
        1);
    put32(f, DATA, DISK_SECTORS);
    assert_true(
        run(f, 0,
            &(Command){ .command = 0x06, .feature = 1, .count = 1, .write = true, .bytes = 512 }) &
        0x40000000);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void line_follows_the_ports_registers(void **state)
{
    Fixture *f = *state;
    prepare(f, 0, 0, &(Command){ .command = 0xE7 });
    assert_false(f->intx);
    port_write(f, 0, CI, 1);
    for (int i = 0; i < 5000 && !port_read(f, 0, PIS); i++)
        g_usleep(1000);
    assert_true(f->intx);
    assert_int_equal(hba_read(f, IS), 1);
    port_write(f, 0, PIS, 1);
    assert_false(f->intx);
    assert_int_equal(hba_read(f, IS), 0);
}

static void each_port_sends_its_own_message(void **state)
{
    Fixture *f = *state;
    PciBus *bus = f->board->machine.pci;
    PciDevice *pci = pci_bus_device(bus, PCI_DEVFN(31, 2));
    device_enter(f->dev);
    pci_config_write(bus, 0, PCI_DEVFN(31, 2), pci->msi_capability + 2u, 2, 1);
    device_leave(f->dev);
    prepare(f, 0, 0, &(Command){ .command = 0xE5 });
    port_write(f, 0, CI, 1);
    assert_int_equal(f->n_msi, 1);
    memset(f->ram->host + TABLE, 0, 0x100); /* the CD's command shares the table's place */
    prepare(f, 1, 0, &(Command){ .command = 0xE5 });
    port_write(f, 1, CI, 1);
    assert_int_equal(f->n_msi, 2);
    port_write(f, 0, PIS, 1);
    hba_write(f, IS, 1); /* port 1 still waits: told again */
    assert_int_equal(f->n_msi, 3);
    assert_false(f->intx);
}

/* --- resets and hostile guests ---------------------------------------------------------------- */

static void reset_during_io_leaves_memory_alone_afterwards(void **state)
{
    Fixture *f = *state;
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned tag = 0; tag < 8; tag++)
            prepare(f, 0, tag,
                    &(Command){ .command = 0x60,
                                .feature = 1000,
                                .count = (uint16_t)(tag << 3),
                                .lba = tag * 300,
                                .gpa = DATA,
                                .bytes = 512000 });
        port_write(f, 0, SACT, 0xFF);
        port_write(f, 0, CI, 0xFF);
        switch (round % 3) {
        case 0: hba_write(f, GHC, 0x80000001); break;
        case 1:
            port_write(f, 0, SCTL, 0x301);
            port_write(f, 0, SCTL, 0x300);
            break;
        case 2: port_write(f, 0, CMD, 0x10); break;
        }
        memset(f->ram->host + DATA, 0xEE, 512000);
        uint8_t fis = f->ram->host[FIS_BASE + 0x58] = 0x77;
        g_usleep(2000);
        assert_int_equal(f->ram->host[DATA], 0xEE);
        assert_int_equal(f->ram->host[DATA + 511999], 0xEE);
        assert_int_equal(f->ram->host[FIS_BASE + 0x58], fis);
        assert_int_equal(port_read(f, 0, SACT), 0);
        assert_int_equal(port_read(f, 0, SIG), 0x101);
        hba_write(f, GHC, 0x80000002);
        start_port(f, 0);
    }
    assert_int_equal(run(f, 0, &(Command){ .command = 0x25, .count = 1, .lba = 3, .bytes = 512 }),
                     1);
}

static gint is_full;

static int full_write(Image *image, uint64_t offset, IoVector v, size_t length)
{
    return g_atomic_int_get(&is_full) ? -ENOSPC : raw_format.write(image, offset, v, length);
}

/* A host disk without room: the command waits, a reset takes it back, and with room it ends. */
static void check_full_disk(Fixture *f)
{
    const Command write = { .command = 0x35, .count = 1, .lba = 7, .write = true, .bytes = 512 };
    ImageFormat format = raw_format;
    format.write = full_write;
    Image *image = *(Image **)f->disk; /* the first member of Disk */
    image->format = &format;
    g_atomic_int_set(&is_full, 1);
    memset(f->ram->host + DATA, 0x77, 512);

    prepare(f, 0, 0, &write);
    port_write(f, 0, CI, 1);
    disk_drain(f->disk);
    assert_int_equal(port_read(f, 0, CI), 1);
    restart(f, 0);
    assert_int_equal(port_read(f, 0, CI), 0);

    prepare(f, 0, 0, &write);
    port_write(f, 0, CI, 1);
    disk_drain(f->disk);
    assert_int_equal(port_read(f, 0, PIS), 0);
    g_atomic_int_set(&is_full, 0);
    disk_retry(f->disk);
    disk_drain(f->disk);
    board_advance(f->board, 1000000);
    assert_int_equal(wait_is(f, 0), 1);
    uint8_t byte;
    assert_true(disk_read(f->disk, 7 * 512, &byte, 1, NULL));
    assert_int_equal(byte, 0x77);
    image->format = &raw_format;
}

static void write_waits_for_a_full_host_disk(void **state)
{
    check_full_disk(*state);
}

static void write_waits_for_a_full_host_disk_with_a_clock_of_its_own(void **state)
{
    Fixture *f = *state;
    ahci_set_timed(f->ahci, f->board->machine.clock);
    check_full_disk(f);
}

static void wild_addresses_are_bus_errors_not_crashes(void **state)
{
    Fixture *f = *state;
    port_write(f, 0, CLB, 0x50000000); /* nobody there */
    port_write(f, 0, CI, 1);
    assert_true(port_read(f, 0, PIS) & 1u << 29);
    port_write(f, 0, CLB, LIST);
    restart(f, 0);
    prepare(f, 0, 0, &(Command){ .command = 0x25, .count = 1, .bytes = 512 });
    put32(f, LIST + 12, 0xFFFFFFFF); /* table at the end of the address space */
    put32(f, LIST + 8, 0xFFFFFF80);
    port_write(f, 0, CI, 1);
    assert_true(wait_is(f, 0) & 1u << 29);
    restart(f, 0);
    /* Data to nowhere is lost; to our own registers as well; from nowhere it is an error. */
    assert_int_equal(
        run(f, 0, &(Command){ .command = 0x25, .count = 1, .gpa = 0x60000000, .bytes = 512 }), 1);
    assert_int_equal(
        run(f, 0, &(Command){ .command = 0x25, .count = 1, .gpa = BAR + 0x100, .bytes = 512 }), 1);
    assert_int_equal(port_read(f, 0, CLB), LIST);
    assert_true(run(f, 0,
                    &(Command){ .command = 0x35,
                                .count = 1,
                                .gpa = UINT64_MAX - 100,
                                .write = true,
                                .bytes = 512 }) &
                1u << 29);
    restart(f, 0);
    /* A list with 65535 descriptors that ends outside memory. */
    prepare(f, 0, 0, &(Command){ .command = 0x25, .count = 0, .bytes = 2 });
    put32(f, LIST, 0xFFFF0005);
    put32(f, LIST + 8, RAM_SIZE - 0x100);
    memcpy(f->ram->host + RAM_SIZE - 0x100, f->ram->host + TABLE, 0x100);
    port_write(f, 0, CI, 1);
    assert_true(wait_is(f, 0));
    restart(f, 0);
    assert_int_equal(run(f, 0, &(Command){ .command = 0x25, .count = 1, .lba = 3, .bytes = 512 }),
                     1);
}

static void short_descriptor_list_transfers_what_fits(void **state)
{
    Fixture *f = *state;
    uint32_t is = run(f, 0, &(Command){ .command = 0x25, .count = 4, .lba = 1, .bytes = 512 });
    assert_int_equal(is, 1u << 24 | 1);
    assert_int_equal(get32(f, LIST + 4), 512);
    assert_int_equal(f->ram->host[DATA + 512], 0);
}

static void random_registers_never_stop_the_engine(void **state)
{
    Fixture *f = *state;
    GRand *rand = g_rand_new_with_seed(5);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned port = g_rand_int(rand) % 2;
        switch (g_rand_int(rand) % 8) {
        case 0: hba_write(f, (g_rand_int(rand) % 0x300) & ~3u, g_rand_int(rand)); break;
        case 1: port_write(f, port, CLB, LIST + port * 0x1000); break;
        case 2: port_write(f, port, CMD, 0x11); break;
        case 3:
            for (unsigned j = 0; j < 64; j++)
                f->ram->host[TABLE + g_rand_int(rand) % 0x90] = (uint8_t)g_rand_int(rand);
            break;
        default: {
            Command c = { .command = (uint8_t)g_rand_int(rand),
                          .feature = (uint16_t)(g_rand_int(rand) % 4),
                          .count = (uint16_t)(g_rand_int(rand) % 64),
                          .lba = g_rand_int(rand) % 5000,
                          .gpa = g_rand_int(rand) % 0x600000,
                          .bytes = 1 + g_rand_int(rand) % 40000 };
            uint8_t packet[12];
            for (unsigned j = 0; j < 12; j++)
                packet[j] = (uint8_t)(g_rand_int(rand) & g_rand_int(rand));
            if (port == 1) {
                c.command = 0xA0;
                c.packet = packet;
            }
            /* Memory below 1 MiB holds the lists; keep data away from them. */
            c.gpa |= 0x100000;
            prepare(f, port, i % 32, &c);
            port_write(f, port, CI, 1u << i % 32);
            break;
        }
        }
    }
    g_rand_free(rand);
}

static void state_survives_save_and_load(void **state)
{
    Fixture *f = *state;
    run(f, 0, &(Command){ .command = 0xC6, .count = 4 });
    ahci_drain(f->ahci);
    device_enter(f->dev);
    board_save_and_load(f->dev);
    device_leave(f->dev);
    assert_int_equal(port_read(f, 0, CLB), LIST);
    run(f, 0, &(Command){ .command = 0xEC, .bytes = 512 });
    assert_int_equal(get32(f, DATA + 118) & 0xFFFF, 0x0104);
}

/* --- CD --------------------------------------------------------------------------------------- */

static uint32_t packet(Fixture *f, const uint8_t cdb[12], uint32_t bytes)
{
    return run(f, 1, &(Command){ .command = 0xA0, .feature = 1, .packet = cdb, .bytes = bytes });
}

static unsigned sense(Fixture *f)
{
    restart(f, 1);
    packet(f, (const uint8_t[12]){ 0x03, 0, 0, 0, 18 }, 18);
    const uint8_t *s = f->ram->host + DATA;
    return (s[2] & 15u) << 16 | s[12] << 8 | s[13];
}

static void settle_attention(Fixture *f)
{
    assert_true(packet(f, (const uint8_t[12]){ 0 }, 0) & 0x40000000);
    assert_int_equal(sense(f), 0x062900);
    assert_int_equal(packet(f, (const uint8_t[12]){ 0 }, 0), 1);
}

static void cd_reads_sectors_by_dma_and_pio(void **state)
{
    Fixture *f = *state;
    settle_attention(f);
    assert_int_equal(packet(f, (const uint8_t[12]){ 0x25 }, 8), 1);
    assert_memory_equal(f->ram->host + DATA, "\0\0\1\xff\0\0\x8\0", 8);
    assert_int_equal(packet(f, (const uint8_t[12]){ 0x28, [5] = 10, [8] = 2 }, 4096), 1);
    assert_int_equal(f->ram->host[DATA], (uint8_t)(9 + 10));
    assert_int_equal(f->ram->host[DATA + 2048 + 1], (uint8_t)(9 + 11 + 1));
    uint32_t is = run(f, 1,
                      &(Command){ .command = 0xA0,
                                  .packet = (const uint8_t[12]){ 0xA8, [5] = 3, [9] = 1 },
                                  .lba = 0x080000,
                                  .bytes = 2048 });
    assert_int_equal(is, 3);
    assert_int_equal(f->ram->host[DATA], 9 + 3);
    /* READ CD with everything: the user data stands behind 16 bytes of sync and header. */
    assert_int_equal(packet(f, (const uint8_t[12]){ 0xBE, [5] = 4, [8] = 1, [9] = 0xF8 }, 2352), 1);
    assert_memory_equal(f->ram->host + DATA, "\0\xff\xff", 3);
    assert_memory_equal(f->ram->host + DATA + 12, "\0\x02\x04\x01", 4);
    assert_int_equal(f->ram->host[DATA + 16], 9 + 4);
}

static void cd_refuses_sectors_past_the_end(void **state)
{
    Fixture *f = *state;
    settle_attention(f);
    assert_true(packet(f, (const uint8_t[12]){ 0x28, [4] = 2, [8] = 1 }, 2048) & 0x40000000);
    assert_int_equal(port_read(f, 1, TFD), 0x5451);
    assert_int_equal(sense(f), 0x052100);
    assert_true(packet(f, (const uint8_t[12]){ 0xEE }, 0) & 0x40000000);
    assert_int_equal(sense(f), 0x052000);
}

static void new_disc_is_announced_once(void **state)
{
    Fixture *f = *state;
    Disk *old;
    settle_attention(f);
    ahci_set_media(f->ahci, 1, NULL, &old);
    assert_ptr_equal(old, f->cd);
    packet(f, (const uint8_t[12]){ 0 }, 0);
    assert_int_equal(sense(f), 0x062800);
    packet(f, (const uint8_t[12]){ 0 }, 0);
    assert_int_equal(sense(f), 0x023A01);
    ahci_set_media(f->ahci, 1, f->cd, &old);
    assert_null(old);
    packet(f, (const uint8_t[12]){ 0x4A, 1, [4] = 0x10, [8] = 8 }, 8);
    assert_memory_equal(f->ram->host + DATA, "\0\6\4\x10\2\2", 6);
    packet(f, (const uint8_t[12]){ 0 }, 0);
    assert_int_equal(sense(f), 0x062800);
    assert_int_equal(packet(f, (const uint8_t[12]){ 0 }, 0), 1);
}

static void guest_opens_and_locks_the_tray(void **state)
{
    Fixture *f = *state;
    settle_attention(f);
    packet(f, (const uint8_t[12]){ 0x1E, [4] = 1 }, 0);
    packet(f, (const uint8_t[12]){ 0x1B, [4] = 2 }, 0);
    assert_int_equal(sense(f), 0x055302);
    packet(f, (const uint8_t[12]){ 0x1E }, 0);
    assert_int_equal(packet(f, (const uint8_t[12]){ 0x1B, [4] = 2 }, 0), 1);
    assert_true(ahci_tray_is_open(f->ahci, 1));
    packet(f, (const uint8_t[12]){ 0 }, 0);
    assert_int_equal(sense(f), 0x023A02);
    packet(f, (const uint8_t[12]){ 0x1B, [4] = 3 }, 0);
    assert_false(ahci_tray_is_open(f->ahci, 1));
}

static void count_tray(void *opaque)
{
    ++*(unsigned *)opaque;
}

static void the_boards_side_hears_of_the_tray(void **state)
{
    Fixture *f = *state;
    unsigned n = 0;
    const uint8_t eject[12] = { 0x1B, 0, 0, 0, 2 }, load[12] = { 0x1B, 0, 0, 0, 3 };
    const uint8_t spin_down[12] = { 0x1B, 0, 0, 0, 0 }, lock[12] = { 0x1E, 0, 0, 0, 1 };
    settle_attention(f);
    ahci_set_tray_callback(f->ahci, count_tray, &n);
    packet(f, spin_down, 0);
    packet(f, load, 0); /* closed it is */
    assert_int_equal(n, 0);
    packet(f, eject, 0);
    assert_int_equal(n, 1);
    packet(f, eject, 0);
    assert_int_equal(n, 1);
    packet(f, load, 0);
    assert_int_equal(n, 2);
    packet(f, (const uint8_t[12]){ 0 }, 0);
    assert_int_equal(sense(f), 0x062800); /* it is news to the guest, too */
    packet(f, lock, 0);
    packet(f, eject, 0); /* refused */
    assert_int_equal(n, 2);
}

static void table_of_contents_has_one_track_and_the_lead_out(void **state)
{
    Fixture *f = *state;
    settle_attention(f);
    packet(f, (const uint8_t[12]){ 0x43, [8] = 255 }, 255);
    assert_memory_equal(f->ram->host + DATA, "\0\x12\1\1\0\x14\1\0\0\0\0\0\0\x16\xaa\0\0\0\2\0",
                        20);
    packet(f, (const uint8_t[12]){ 0x43, 2, 1, [8] = 12 }, 12);
    assert_memory_equal(f->ram->host + DATA, "\0\xa\1\1\0\x14\1\0\0\0\2\0", 12);
    assert_int_equal(get32(f, LIST + 0x1000 + 4), 12);
}

int main(void)
{
#define AHCI_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        AHCI_TEST(reset_shows_signatures_and_links),
        AHCI_TEST(index_and_data_ports_reach_the_registers),
        AHCI_TEST(identify_tells_size_and_ends_by_pio_setup),
        AHCI_TEST(dma_read_brings_the_sectors),
        AHCI_TEST(dma_write_reaches_the_disk),
        AHCI_TEST(scattered_descriptors_are_followed),
        AHCI_TEST(queued_reads_finish_by_set_device_bits),
        AHCI_TEST(address_past_the_end_is_a_task_file_error),
        AHCI_TEST(failed_queued_command_is_named_in_the_log),
        AHCI_TEST(unknown_command_is_aborted),
        AHCI_TEST(trim_gives_up_the_ranges),
        AHCI_TEST(line_follows_the_ports_registers),
        AHCI_TEST(each_port_sends_its_own_message),
        AHCI_TEST(reset_during_io_leaves_memory_alone_afterwards),
        AHCI_TEST(write_waits_for_a_full_host_disk),
        AHCI_TEST(write_waits_for_a_full_host_disk_with_a_clock_of_its_own),
        AHCI_TEST(wild_addresses_are_bus_errors_not_crashes),
        AHCI_TEST(short_descriptor_list_transfers_what_fits),
        AHCI_TEST(random_registers_never_stop_the_engine),
        AHCI_TEST(state_survives_save_and_load),
        AHCI_TEST(cd_reads_sectors_by_dma_and_pio),
        AHCI_TEST(cd_refuses_sectors_past_the_end),
        AHCI_TEST(new_disc_is_announced_once),
        AHCI_TEST(guest_opens_and_locks_the_tray),
        AHCI_TEST(the_boards_side_hears_of_the_tray),
        AHCI_TEST(table_of_contents_has_one_track_and_the_lead_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
