/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* What every device owes, checked over a table: to add a device, add a row. Each is driven through
 * its ops as the bus does it, over every window that it maps.
 *   readable      all offsets in all sizes
 *   robust        random accesses and time never crash it
 *   reset         forgets what the guest wrote: afterwards it reads as one that was never touched
 *   save, load    another one, loaded, reads the same, and goes on the same
 *   truncated     state is refused, at any length; damaged state does no harm */

#include "dev-fixture.h"

#include "core/dev/acpi-pm.h"
#include "core/dev/ahci.h"
#include "core/dev/char-backend.h"
#include "core/dev/debugcon.h"
#include "core/dev/dma8237.h"
#include "core/dev/fw-cfg.h"
#include "core/dev/hpet.h"
#include "core/dev/i8042.h"
#include "core/dev/lpc.h"
#include "core/dev/mch.h"
#include "core/dev/pflash.h"
#include "core/dev/pit.h"
#include "core/dev/rtc.h"
#include "core/dev/uart.h"
#include "core/dev/vga.h"
#include "core/irq/ioapic.h"
#include "core/irq/pic.h"
#include "core/virtio/virtio-blk.h"
#include "core/virtio/virtio-rng.h"
#include <string.h>
#include <unistd.h>

#define N_ACCESSES 200000
#define N_SAVES 40
#define RAM_SIZE 0x100000u
#define BIOS_SIZE 0x40000u

/* A board with one device on it, and what that device needs. */
typedef struct {
    Board *board;
    Device *dev;
    LapicBus *lapics;
    CharBackend *chr;
    Ram *ram, *bios;
    Device *helper; /* of the device: borrowed by it */
    Disk *disk;
} Rig;

typedef struct {
    const char *name;
    Device *(*make)(Rig *rig);
    int devfn;            /* of a PCI device; 0 is the host bridge, so -1: none */
    uint64_t window_size; /* of one that maps nothing by itself; offset 0 */
    bool outlives_reset;  /* has a battery: its registers keep what the guest wrote */
    bool shows_ram;       /* its memory windows are a Ram, which is saved elsewhere */
} Row;
#define NOT_PCI (-1)

static Device *make_pic(Rig *rig)
{
    return pic_new(board_line(rig->board, 0));
}

static Device *make_ioapic(Rig *rig)
{
    return ioapic_new(rig->lapics);
}

static Device *make_lapic(Rig *rig)
{
    return lapic_bus_device(rig->lapics, 1);
}

static Device *make_pit(Rig *rig)
{
    return pit_new(board_line(rig->board, 0));
}

static Device *make_rtc(Rig *rig)
{
    return rtc_new(board_line(rig->board, 8), 1700000000);
}

static Device *make_hpet(Rig *rig)
{
    IrqLine gsi[HPET_N_INPUTS];

    for (unsigned i = 0; i < HPET_N_INPUTS; i++)
        gsi[i] = board_line(rig->board, i);
    return hpet_new(gsi, NULL, NULL);
}

static Device *make_acpi_pm(Rig *rig)
{
    return acpi_pm_new(board_line(rig->board, 9));
}

static Device *make_uart(Rig *rig)
{
    return uart_new(rig->chr, board_line(rig->board, 4), 0x3F8);
}

static Device *make_i8042(Rig *rig)
{
    return i8042_new(board_line(rig->board, 1), board_line(rig->board, 12));
}

static Device *make_debugcon(Rig *rig)
{
    return debugcon_new(rig->board->machine.ports, rig->chr);
}

static Device *make_dma8237(Rig *rig)
{
    return dma8237_new(rig->board->machine.ports);
}

static Device *make_fw_cfg(Rig *rig)
{
    Device *dev = fw_cfg_new(rig->board->machine.memory, rig->board->machine.ports);

    fw_cfg_add_file((FwCfg *)dev, "etc/test", g_bytes_new_static("some words", 10));
    return dev;
}

static Device *make_lpc(Rig *rig)
{
    Machine *machine = &rig->board->machine;
    LpcWiring wiring = { .memory = machine->memory,
                         .ports = machine->ports,
                         .bus = machine->pci,
                         .x87_error = board_line(rig->board, 13) };

    for (unsigned i = 0; i < G_N_ELEMENTS(wiring.pic); i++)
        wiring.pic[i] = board_line(rig->board, i);
    for (unsigned i = 0; i < G_N_ELEMENTS(wiring.ioapic); i++)
        wiring.ioapic[i] = board_line(rig->board, 16 + i);
    rig->helper = acpi_pm_new(board_line(rig->board, 9));
    board_plug(rig->board, rig->helper);
    wiring.acpi_pm = rig->helper;
    return lpc_new(&wiring);
}

static const StateField nobody_state[] = { STATE_END };

static uint64_t nobody_read(Device *dev, uint64_t offset, unsigned size)
{
    return 0;
}

static void nobody_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
}

static const DeviceOps nobody_ops = { .name = "nobody",
                                      .instance_size = sizeof(Device),
                                      .state = nobody_state,
                                      .min_access = 1,
                                      .max_access = 1,
                                      .read = nobody_read,
                                      .write = nobody_write };

static Device *make_mch(Rig *rig)
{
    Machine *machine = &rig->board->machine;

    rig->helper = device_alloc(&nobody_ops, "nobody"); /* who answers at CF9h */
    return mch_new(&(MchWiring){ .memory = machine->memory,
                                 .ports = machine->ports,
                                 .bus = machine->pci,
                                 .ram = rig->ram,
                                 .bios = rig->bios,
                                 .reset_device = rig->helper });
}

static Device *make_vga(Rig *rig)
{
    return vga_new(rig->board->machine.pci, PCI_DEVFN(1, 0), NULL);
}

static Device *make_ahci(Rig *rig)
{
    Device *dev = ahci_new(rig->board->machine.pci, PCI_DEVFN(31, 2));

    ahci_attach_cdrom((Ahci *)dev, 1, NULL);
    return dev;
}

static Disk *make_disk(void)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("disk-XXXXXX", &path, NULL);

    assert_true(fd >= 0 && ftruncate(fd, RAM_SIZE) == 0);
    close(fd);
    Disk *disk = disk_open(path, &(DiskOptions){ .format = "raw" }, NULL);
    assert_non_null(disk);
    unlink(path);
    return disk;
}

static Device *make_virtio_blk(Rig *rig)
{
    rig->disk = make_disk();
    return virtio_blk_new(rig->board->machine.pci, PCI_DEVFN(8, 0), "virtio-blk0", rig->disk,
                          "serial", 4);
}

static Device *make_virtio_rng(Rig *rig)
{
    return virtio_rng_new(rig->board->machine.pci, PCI_DEVFN(3, 0));
}

static Device *make_pflash(Rig *rig)
{
    return pflash_new(&(PflashWiring){
        .memory = rig->board->machine.memory, .base = 0xFFC00000, .image = rig->bios });
}

static const Row rows[] = {
    { "pic", make_pic, NOT_PCI },
    { "ioapic", make_ioapic, NOT_PCI },
    { "lapic", make_lapic, NOT_PCI, .window_size = 0x1000 },
    { "pit", make_pit, NOT_PCI },
    { "rtc", make_rtc, NOT_PCI, .outlives_reset = true },
    { "hpet", make_hpet, NOT_PCI },
    { "acpi-pm", make_acpi_pm, NOT_PCI, .window_size = ACPI_PM_SIZE },
    { "uart", make_uart, NOT_PCI },
    { "i8042", make_i8042, NOT_PCI },
    { "debugcon", make_debugcon, NOT_PCI },
    { "dma8237", make_dma8237, NOT_PCI },
    { "fw-cfg", make_fw_cfg, NOT_PCI },
    { "mch", make_mch, PCI_DEVFN(0, 0) },
    { "lpc", make_lpc, PCI_DEVFN(31, 0) },
    { "pflash", make_pflash, NOT_PCI, .shows_ram = true },
    { "vga", make_vga, PCI_DEVFN(1, 0), .shows_ram = true },
    { "ahci", make_ahci, PCI_DEVFN(31, 2) },
    { "virtio-blk", make_virtio_blk, PCI_DEVFN(8, 0) },
    { "virtio-rng", make_virtio_rng, PCI_DEVFN(3, 0) },
};

/* Rigs */

static Rig *rig_new(const Row *row)
{
    Rig *rig = g_new0(Rig, 1);

    rig->board = board_new();
    rig->lapics = lapic_bus_new(2, rig->board->machine.clock, NULL, NULL, NULL);
    rig->chr = char_backend_new();
    rig->ram = ram_new("ram", RAM_SIZE, NULL);
    rig->bios = ram_new("bios", BIOS_SIZE, NULL);
    rig->board->machine.ram = rig->ram;
    address_space_map_ram(rig->board->machine.memory, 0, RAM_SIZE, MAP_PRIORITY_RAM, rig->ram, 0);
    rig->dev = row->make(rig);
    board_plug(rig->board, rig->dev);
    return rig;
}

static void rig_free(Rig *rig)
{
    disk_free(rig->disk);
    if (rig->dev != lapic_bus_device(rig->lapics, 1))
        device_free(rig->dev);
    device_free(rig->helper);
    lapic_bus_free(rig->lapics);
    board_free(rig->board);
    char_backend_free(rig->chr);
    ram_free(rig->ram);
    ram_free(rig->bios);
    g_free(rig);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

/* Windows: offsets of the device that a guest can reach */

typedef struct {
    uint64_t offset, size;
    bool is_memory;
} Window;

static void add_windows(GArray *windows, const FlatView *view, const Device *dev, bool is_memory)
{
    for (unsigned i = 0; i < view->n; i++) {
        const Span *span = &view->spans[i];
        Window window = { span->offset, span->end - span->start, is_memory };
        if (span->device == dev)
            g_array_append_val(windows, window);
    }
}

static void program_bars(Rig *rig, uint8_t devfn)
{
    PciBus *bus = rig->board->machine.pci;
    uint32_t memory = 0xC0000000, port = 0xC000;

    for (unsigned bar = 0x10; bar < 0x28; bar += 4) {
        pci_config_write(bus, 0, devfn, bar, 4, 0xFFFFFFFF);
        uint32_t mask = pci_config_read(bus, 0, devfn, bar, 4);
        uint32_t size = -(mask & ~15u), *at = mask & 1 ? &port : &memory;
        if (mask == 0)
            continue;
        *at = (*at + size - 1) & ~(size - 1);
        pci_config_write(bus, 0, devfn, bar, 4, *at);
        *at += size;
        if ((mask & 7) == 4) {
            bar += 4;
            pci_config_write(bus, 0, devfn, bar, 4, 0);
        }
    }
    pci_config_write(bus, 0, devfn, 4, 2, 7);
}

static GArray *find_windows(const Row *row)
{
    g_autoptr(Rig) rig = rig_new(row);
    GArray *windows = g_array_new(false, false, sizeof(Window));
    Window whole = { 0, row->window_size, true };

    if (row->devfn != NOT_PCI)
        program_bars(rig, (uint8_t)row->devfn);
    if (row->window_size)
        g_array_append_val(windows, whole);
    add_windows(windows, address_space_view(rig->board->machine.ports), rig->dev, false);
    add_windows(windows, address_space_view(rig->board->machine.memory), rig->dev, true);
    return windows;
}

static uint64_t access_read(Rig *rig, const Window *window, uint64_t at, unsigned size)
{
    Span span = {
        .end = window->size, .kind = SPAN_DEVICE, .device = rig->dev, .offset = window->offset
    };
    return span_read(&span, at, size, true);
}

static void access_write(Rig *rig, const Window *window, uint64_t at, unsigned size, uint64_t value)
{
    Span span = {
        .end = window->size, .kind = SPAN_DEVICE, .device = rig->dev, .offset = window->offset
    };
    span_write(&span, at, size, value, true);
}

/* Everything that can be read, one value after the other. Of a large window, both ends. */
static GByteArray *dump(Rig *rig, const Row *row, const GArray *windows)
{
    GByteArray *out = g_byte_array_new();

    for (unsigned i = 0; i < windows->len; i++) {
        const Window *window = &g_array_index(windows, Window, i);
        if (window->is_memory && row->shows_ram)
            continue;
        for (uint64_t at = 0; at < window->size; at++) {
            if (at == 0x1000 && window->size > 0x2000)
                at = window->size - 0x1000;
            for (unsigned size = 1; size <= (window->is_memory ? 8 : 4); size *= 2) {
                uint64_t value = access_read(rig, window, at, size);
                g_byte_array_append(out, (const guint8 *)&value, sizeof(value));
            }
        }
    }
    for (unsigned at = 0; row->devfn != NOT_PCI && at < 256; at += 4) {
        uint32_t value = pci_config_read(rig->board->machine.pci, 0, (uint8_t)row->devfn, at, 4);
        g_byte_array_append(out, (const guint8 *)&value, sizeof(value));
    }
    return out;
}

static void assert_same_dump(const Row *row, const GByteArray *a, const GByteArray *b,
                             const char *what)
{
    assert_int_equal(a->len, b->len);
    for (unsigned i = 0; i < a->len; i++)
        if (a->data[i] != b->data[i])
            fail_msg("%s: %s: byte %u of the dump is %02x, not %02x", row->name, what, i,
                     b->data[i], a->data[i]);
}

/* Fuzz */

static uint64_t random_value(GRand *rand)
{
    uint64_t value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

    switch (g_rand_int_range(rand, 0, 6)) {
    case 0: return 0;
    case 1: return UINT64_MAX;
    case 2: return UINT64_C(1) << (value & 63);
    case 3: return value & 0xFF;
    default: return value;
    }
}

/* What the guest saw, for comparison: @transcript may be NULL. */
static void note(GByteArray *transcript, uint64_t value)
{
    if (transcript)
        g_byte_array_append(transcript, (const guint8 *)&value, sizeof(value));
}

static void fuzz_config(Rig *rig, const Row *row, GRand *rand, GByteArray *transcript)
{
    PciBus *bus = rig->board->machine.pci;
    unsigned size = 1u << g_rand_int_range(rand, 0, 3), at = g_rand_int(rand) & 0xFF & ~(size - 1);

    pci_config_write(bus, 0, (uint8_t)row->devfn, at, size, (uint32_t)random_value(rand));
    note(transcript, pci_config_read(bus, 0, (uint8_t)row->devfn, at, size));
}

/* Often the same few registers: a device's modes only show when several accesses belong together.
 */
static void fuzz_window(Rig *rig, const Row *row, const Window *window, GRand *rand,
                        GByteArray *transcript)
{
    unsigned size = 1u << g_rand_int_range(rand, 0, window->is_memory ? 4 : 3);
    uint64_t at = g_rand_int(rand) % window->size, value = random_value(rand);

    if (window->is_memory && row->shows_ram && transcript)
        return;
    if (window->is_memory && g_rand_boolean(rand))
        at &= ~UINT64_C(7);
    if (g_rand_boolean(rand))
        access_write(rig, window, at, size, value);
    else
        note(transcript, access_read(rig, window, at, size));
}

static void fuzz(Rig *rig, const Row *row, const GArray *windows, uint32_t seed,
                 unsigned n_accesses, GByteArray *transcript)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    bool is_pci = row->devfn != NOT_PCI;

    for (unsigned i = 0; i < n_accesses; i++) {
        unsigned which = g_rand_int(rand) % (windows->len + is_pci);
        if (which == windows->len)
            fuzz_config(rig, row, rand, transcript);
        else
            fuzz_window(rig, row, &g_array_index(windows, Window, which), rand, transcript);
        if (i % 64 == 0)
            board_advance(rig->board, g_rand_int(rand) % 1000000);
        for (unsigned line = 0; line < 24; line++)
            note(transcript, rig->board->line[line].level);
    }
}

static void advance_to(Rig *rig, uint64_t ns)
{
    board_advance(rig->board, ns - clock_now_ns(rig->board->machine.clock));
}

static void check_robust_and_reset(const Row *row, const GArray *windows)
{
    g_autoptr(Rig) touched = rig_new(row);
    g_autoptr(Rig) fresh = rig_new(row);

    fuzz(touched, row, windows, 20240229, N_ACCESSES, NULL);
    advance_to(fresh, clock_now_ns(touched->board->machine.clock));
    device_reset(touched->dev);
    device_update(touched->dev);
    device_reset(fresh->dev);
    device_update(fresh->dev);
    g_autoptr(GByteArray) expected = dump(fresh, row, windows);
    g_autoptr(GByteArray) actual = dump(touched, row, windows);
    if (!row->outlives_reset)
        assert_same_dump(row, expected, actual, "after reset");
}

static void check_truncation(const Row *row, Rig *rig, const GByteArray *blob)
{
    const DeviceOps *ops = rig->dev->ops;
    size_t used;

    for (size_t length = 0; length < blob->len; length += 1 + blob->len / 500) {
        g_autoptr(GError) error = NULL;
        g_autofree uint8_t *part = g_memdup2(blob->data, MAX(length, 1));
        if (state_load(rig->dev, ops->state, ops->state_version, part, length, &used, &error))
            fail_msg("%s: %zu of %u bytes of state were accepted", row->name, length, blob->len);
        assert_non_null(error);
    }
}

static void check_save_and_load(const Row *row, const GArray *windows, uint32_t seed)
{
    g_autoptr(Rig) saved = rig_new(row);
    g_autoptr(Rig) loaded = rig_new(row);
    g_autoptr(GByteArray) blob = g_byte_array_new();
    g_autoptr(GByteArray) expected = g_byte_array_new();
    g_autoptr(GByteArray) actual = g_byte_array_new();
    const DeviceOps *ops = saved->dev->ops;
    size_t used;

    fuzz(saved, row, windows, seed, 500, NULL);
    state_save(saved->dev, ops->state, ops->state_version, blob);
    memcpy(loaded->ram->host, saved->ram->host, RAM_SIZE);
    loaded->board->a20 = saved->board->a20;
    advance_to(loaded, clock_now_ns(saved->board->machine.clock));
    if (seed == 0)
        check_truncation(row, loaded, blob);
    assert_true(state_load(loaded->dev, ops->state, ops->state_version, blob->data, blob->len,
                           &used, NULL));
    assert_int_equal(used, blob->len);
    device_update(loaded->dev);

    /* Half of the time without the dump, whose reads have effects of their own. */
    if (seed % 2 == 0) {
        g_autoptr(GByteArray) expected_now = dump(saved, row, windows);
        g_autoptr(GByteArray) actual_now = dump(loaded, row, windows);
        assert_same_dump(row, expected_now, actual_now, "after load");
    }
    fuzz(saved, row, windows, seed + 1000, 300, expected);
    fuzz(loaded, row, windows, seed + 1000, 300, actual);
    assert_same_dump(row, expected, actual, "some time after load");
}

/* A saved file may hold anything: it is refused, or it is a state like any other. */
static void check_damaged_state(const Row *row, const GArray *windows)
{
    g_autoptr(Rig) rig = rig_new(row);
    g_autoptr(GByteArray) blob = g_byte_array_new();
    g_autoptr(GRand) rand = g_rand_new_with_seed(42);
    const DeviceOps *ops = rig->dev->ops;
    const unsigned header = 12;
    size_t used;

    for (unsigned i = 0; i < N_SAVES; i++) {
        g_byte_array_set_size(blob, 0);
        state_save(rig->dev, ops->state, ops->state_version, blob);
        for (unsigned n = g_rand_int_range(rand, 1, 20); n > 0 && blob->len > header; n--)
            blob->data[header + g_rand_int(rand) % (blob->len - header)] ^= g_rand_int(rand);
        state_load(rig->dev, ops->state, ops->state_version, blob->data, blob->len, &used, NULL);
        device_update(rig->dev);
        fuzz(rig, row, windows, i, 300, NULL);
    }
}

static void a_device_keeps_the_contract(void **state)
{
    const Row *row = *state;
    g_autoptr(GArray) windows = find_windows(row);

    assert_true(windows->len > 0);
    check_robust_and_reset(row, windows);
    for (uint32_t seed = 0; seed < N_SAVES; seed++)
        check_save_and_load(row, windows, seed);
    check_damaged_state(row, windows);
}

static void quiet(const char *domain, GLogLevelFlags level, const char *message, void *opaque)
{
}

int main(void)
{
    struct CMUnitTest tests[G_N_ELEMENTS(rows)];

    g_log_set_handler("vitrine", G_LOG_LEVEL_MESSAGE, quiet, NULL); /* guest_warn() */
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        tests[i] = (struct CMUnitTest){ .name = rows[i].name,
                                        .test_func = a_device_keeps_the_contract,
                                        .initial_state = (void *)&rows[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
