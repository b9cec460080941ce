/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* Debian's SeaBIOS on the whole machine: it finds the board, boots a disk and a disc, and its
 * services answer. The guests are in boot-sectors.S. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/dev/char-backend.h"
#include "core/dev/i8042.h"
#include "core/dev/vga.h"
#include "core/machine/machine.h"
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define DISC_SECTOR 2048
#define DISK_SIZE (1 << 20)
#define TIMEOUT_US (60 * G_USEC_PER_SEC)

extern const uint8_t guest_hello[SECTOR], guest_echo[SECTOR], guest_ticks[SECTOR],
    guest_resets[SECTOR], guest_sleeps[SECTOR], guest_reads_disc[SECTOR];

typedef struct {
    Machine *machine;
    char *image;
    bool is_off;       /* atomic */
    unsigned n_resets; /* atomic */
} Run;

static void on_event(void *opaque, MachineEvent event)
{
    Run *run = opaque;

    if (event == MACHINE_EVENT_POWEROFF)
        __atomic_store_n(&run->is_off, true, __ATOMIC_SEQ_CST);
    if (event == MACHINE_EVENT_RESET)
        __atomic_fetch_add(&run->n_resets, 1, __ATOMIC_SEQ_CST);
}

static char *write_image(const void *bytes, size_t size)
{
    g_autoptr(GError) error = NULL;
    char *path = NULL;
    int fd = g_file_open_tmp("guest-XXXXXX.img", &path, &error);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    return path;
}

static char *make_disk(const uint8_t *boot_sector)
{
    g_autofree uint8_t *disk = g_malloc0(DISK_SIZE);

    memcpy(disk, boot_sector, SECTOR);
    return write_image(disk, DISK_SIZE);
}

/* El Torito 1.0: volume descriptor, boot record, terminator, catalog, and one boot image without
 * emulation. */
static char *make_disc(const uint8_t *boot_sector)
{
    g_autofree uint8_t *disc = g_malloc0(64 * DISC_SECTOR);
    uint8_t *catalog = disc + 19 * DISC_SECTOR;

    memcpy(disc + 16 * DISC_SECTOR, "\1CD001\1", 7);
    memcpy(disc + 17 * DISC_SECTOR, "\0CD001\1EL TORITO SPECIFICATION", 30);
    disc[17 * DISC_SECTOR + 0x47] = 19;
    memcpy(disc + 18 * DISC_SECTOR, "\377CD001\1", 7);
    memcpy(catalog, "\1\0\0\0", 4);
    memcpy(catalog + 0x1C, "\xAA\x55\x55\xAA", 4);
    catalog[0x20] = 0x88; /* bootable, no emulation */
    catalog[0x26] = 1;    /* one 512-byte sector */
    catalog[0x28] = 20;
    memcpy(disc + 20 * DISC_SECTOR, boot_sector, SECTOR);
    return write_image(disc, 64 * DISC_SECTOR);
}

static Run *start(char *image, bool is_cdrom, ClockKind clock)
{
    Run *run = g_new0(Run, 1);
    g_autoptr(GError) error = NULL;
    MachineConfig config = { .name = "guest",
                             .memory_bytes = 64 << 20,
                             .n_cpus = 1,
                             .cpu = &cpu_soft_ops,
                             .clock = clock,
                             .drive = { { .path = image, .is_cdrom = is_cdrom } },
                             .n_drives = 1,
                             .debug_exit = true,
                             .rtc_base = 1700000000 };

    run->image = image;
    run->machine = machine_new(&config, &error);
    if (!run->machine)
        fail_msg("%s", error->message);
    machine_set_listener(run->machine, on_event, run);
    assert_true(machine_start(run->machine, false, NULL));
    return run;
}

static bool serial_has(Run *run, const char *text)
{
    g_autoptr(GBytes) history = char_backend_dup_history(run->machine->serial);
    gsize length;
    const char *bytes = g_bytes_get_data(history, &length);

    return length && memmem(bytes, length, text, strlen(text));
}

static void fail_with_log(Run *run, const char *what)
{
    g_autoptr(GBytes) history = char_backend_dup_history(run->machine->debugcon);
    g_autofree char *problem = machine_dup_problem(run->machine);

    fail_msg("%s; %s; firmware said:\n%.*s", what, problem ? problem : "no problem told",
             (int)g_bytes_get_size(history), (const char *)g_bytes_get_data(history, NULL));
}

static void wait_for_off(Run *run)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;

    while (!__atomic_load_n(&run->is_off, __ATOMIC_SEQ_CST)) {
        if (g_get_monotonic_time() > end || machine_state(run->machine) == MACHINE_FAILED)
            fail_with_log(run, "the guest did not end");
        g_usleep(2000);
    }
}

static void wait_for_serial(Run *run, const char *text)
{
    gint64 end = g_get_monotonic_time() + TIMEOUT_US;

    while (!serial_has(run, text)) {
        if (g_get_monotonic_time() > end || machine_state(run->machine) == MACHINE_FAILED)
            fail_with_log(run, text);
        g_usleep(2000);
    }
}

static void end(Run *run)
{
    machine_free(run->machine);
    unlink(run->image);
    g_free(run->image);
    g_free(run);
}

static void seabios_finds_the_board_and_boots_a_disk(void **state)
{
    Run *run = start(make_disk(guest_hello), false, CLOCK_REAL);

    wait_for_off(run);
    assert_int_equal(machine_exit_code(run->machine), 0x10);
    assert_true(serial_has(run, "hello from the boot sector"));
    g_autoptr(GBytes) history = char_backend_dup_history(run->machine->debugcon);
    g_autofree char *log = g_strndup(g_bytes_get_data(history, NULL), g_bytes_get_size(history));
    static const char *const milestones[] = { "Running on QEMU (q35)",
                                              "QEMU fw_cfg DMA interface supported",
                                              "PCIe: using q35 mmconfig at 0xb0000000",
                                              "(via xsdt)",
                                              "ACPI: parse DSDT",
                                              "Start SeaVGABIOS",
                                              "AHCI controller at 00:1f.2",
                                              "Booting from Hard Disk" };
    for (unsigned i = 0; i < G_N_ELEMENTS(milestones); i++)
        if (!strstr(log, milestones[i]))
            fail_msg("no “%s” in:\n%s", milestones[i], log);
    end(run);
}

static void screen_shows_what_the_bios_writes(void **state)
{
    Run *run = start(make_disk(guest_echo), false, CLOCK_REAL);

    wait_for_serial(run, ">");
    g_autofree char *text = vga_dup_text(run->machine->vga, NULL, NULL, NULL, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "SeaBIOS"));
    end(run);
}

static void typed_keys_reach_the_guest(void **state)
{
    static const uint8_t keys[] = { 0x23, 0x17, 0x10 }; /* h i q */
    Run *run = start(make_disk(guest_echo), false, CLOCK_REAL);

    wait_for_serial(run, ">");
    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        assert_true(i8042_key(run->machine->i8042, keys[i], true));
        assert_true(i8042_key(run->machine->i8042, keys[i], false));
    }
    wait_for_off(run);
    assert_int_equal(machine_exit_code(run->machine), 0x11);
    assert_true(serial_has(run, ">hiq"));
    end(run);
}

static void timer_interrupts_wake_a_halted_guest(void **state)
{
    Run *run = start(make_disk(guest_ticks), false, CLOCK_REAL);

    wait_for_off(run);
    assert_int_equal(machine_exit_code(run->machine), 0x12);
    end(run);
}

static void resets_start_the_firmware_again(void **state)
{
    Run *run = start(make_disk(guest_resets), false, CLOCK_REAL);

    wait_for_off(run);
    assert_int_equal(machine_exit_code(run->machine), 0x13);
    assert_int_equal(run->n_resets, 2);
    end(run);
}

static void acpi_sleep_turns_the_machine_off(void **state)
{
    Run *run = start(make_disk(guest_sleeps), false, CLOCK_REAL);

    wait_for_off(run);
    assert_int_equal(machine_exit_code(run->machine), -1);
    end(run);
}

static void disc_boots_and_is_read(void **state)
{
    Run *run = start(make_disc(guest_reads_disc), true, CLOCK_REAL);

    wait_for_off(run);
    assert_int_equal(machine_exit_code(run->machine), 0x14);
    assert_true(serial_has(run, "CD001"));
    end(run);
}

/* The same guest takes the same number of instructions, to the one. */
static void deterministic_runs_are_equal(void **state)
{
    uint64_t count[2], time_ns[2];

    for (unsigned i = 0; i < 2; i++) {
        Run *run = start(make_disk(guest_ticks), false, CLOCK_DETERMINISTIC);
        wait_for_off(run);
        count[i] = machine_retired(run->machine, 0);
        time_ns[i] = clock_now_ns(run->machine->clock);
        assert_int_equal(machine_exit_code(run->machine), 0x12);
        end(run);
    }
    assert_int_equal(time_ns[0], time_ns[1]);
    assert_int_equal(count[0], count[1]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seabios_finds_the_board_and_boots_a_disk),
        cmocka_unit_test(screen_shows_what_the_bios_writes),
        cmocka_unit_test(typed_keys_reach_the_guest),
        cmocka_unit_test(timer_interrupts_wake_a_halted_guest),
        cmocka_unit_test(resets_start_the_firmware_again),
        cmocka_unit_test(acpi_sleep_turns_the_machine_off),
        cmocka_unit_test(disc_boots_and_is_read),
        cmocka_unit_test(deterministic_runs_are_equal),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
