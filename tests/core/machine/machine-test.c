/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The machine's life, with a CPU that runs what the test tells it to instead of instructions. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/machine/machine-private.h"
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#define MIB UINT64_C(0x100000)
#define WAIT_US (2 * G_USEC_PER_SEC)

/* What the guest does next; taken by the vCPU's thread. */
typedef void GuestCode(const CpuBoard *board);

typedef struct {
    Vcpu vcpu;
    CpuState state;
} FakeCpu;

static struct {
    GuestCode *code;   /* atomic */
    CpuExit exit;      /* atomic; returned once when not STOPPED */
    unsigned n_resets; /* set_state calls */
    const CpuBoard *board;
} fake;

static void *fake_machine_new(const CpuBoard *board, unsigned n_vcpus, GError **error)
{
    fake.board = board;
    return &fake;
}

static void fake_machine_free(void *backend)
{
}

static bool fake_init(Vcpu *vcpu, GError **error)
{
    return true;
}

static void fake_clear(Vcpu *vcpu)
{
}

static CpuExit fake_run(Vcpu *vcpu)
{
    for (;;) {
        if (__atomic_fetch_and(&vcpu->signals, ~(unsigned)VCPU_SIGNAL_STOP, __ATOMIC_SEQ_CST) &
            VCPU_SIGNAL_STOP)
            return CPU_EXIT_STOPPED;
        GuestCode *code =
            vcpu->id == 0 ? __atomic_exchange_n(&fake.code, NULL, __ATOMIC_SEQ_CST) : NULL;
        if (code) {
            g_rec_mutex_lock(vcpu->board->lock);
            code(vcpu->board);
            g_rec_mutex_unlock(vcpu->board->lock);
        }
        CpuExit exit = __atomic_exchange_n(&fake.exit, CPU_EXIT_STOPPED, __ATOMIC_SEQ_CST);
        if (exit != CPU_EXIT_STOPPED)
            return exit;
        g_usleep(200);
    }
}

static void fake_kick(Vcpu *vcpu)
{
}

static void fake_get_state(Vcpu *vcpu, CpuState *out_state)
{
    *out_state = ((FakeCpu *)vcpu)->state;
}

static void fake_set_state(Vcpu *vcpu, const CpuState *state)
{
    ((FakeCpu *)vcpu)->state = *state;
    __atomic_fetch_add(&fake.n_resets, vcpu->id == 0, __ATOMIC_SEQ_CST);
}

static uint64_t fake_retired(const Vcpu *vcpu)
{
    return 0;
}

static void fake_sync_dirty(void *backend)
{
}

static const CpuOps fake_cpu_ops = { .name = "fake",
                                     .machine_new = fake_machine_new,
                                     .machine_free = fake_machine_free,
                                     .vcpu_size = sizeof(FakeCpu),
                                     .vcpu_init = fake_init,
                                     .vcpu_clear = fake_clear,
                                     .run = fake_run,
                                     .kick = fake_kick,
                                     .get_state = fake_get_state,
                                     .set_state = fake_set_state,
                                     .retired = fake_retired,
                                     .sync_dirty = fake_sync_dirty };

typedef struct {
    Machine *machine;
    unsigned events[5]; /* atomic, by MachineEvent */
} Fixture;

static void on_event(void *opaque, MachineEvent event)
{
    __atomic_fetch_add(&((Fixture *)opaque)->events[event], 1, __ATOMIC_SEQ_CST);
}

static MachineConfig usual_config(void)
{
    return (MachineConfig){ .name = "test",
                            .memory_bytes = 16 * MIB,
                            .n_cpus = 2,
                            .cpu = &fake_cpu_ops,
                            .drive = { { .is_cdrom = true } },
                            .n_drives = 1,
                            .rtc_base = -1 };
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);
    MachineConfig config = usual_config();
    g_autoptr(GError) error = NULL;

    memset(&fake, 0, sizeof fake);
    f->machine = machine_new(&config, &error);
    if (!f->machine)
        fail_msg("%s", error->message);
    machine_set_listener(f->machine, on_event, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    machine_free(f->machine);
    g_free(f);
    return 0;
}

static void wait_for_state(Fixture *f, MachineState wanted)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    while (machine_state(f->machine) != wanted && g_get_monotonic_time() < end)
        g_usleep(500);
    assert_int_equal(machine_state(f->machine), wanted);
}

static void wait_for_event(Fixture *f, MachineEvent event)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    while (!__atomic_load_n(&f->events[event], __ATOMIC_SEQ_CST) && g_get_monotonic_time() < end)
        g_usleep(500);
    assert_true(__atomic_load_n(&f->events[event], __ATOMIC_SEQ_CST));
}

static void start(Fixture *f)
{
    assert_true(machine_start(f->machine, false, NULL));
    assert_int_equal(machine_state(f->machine), MACHINE_RUNNING);
}

static void run_guest(GuestCode *code)
{
    gint64 end = g_get_monotonic_time() + WAIT_US;

    __atomic_store_n(&fake.code, code, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&fake.code, __ATOMIC_SEQ_CST) && g_get_monotonic_time() < end)
        g_usleep(200);
    g_rec_mutex_lock(fake.board->lock); /* it has finished */
    g_rec_mutex_unlock(fake.board->lock);
    assert_null(fake.code);
}

static uint64_t peek(Fixture *f, uint64_t gpa, unsigned size)
{
    g_rec_mutex_lock(&f->machine->lock);
    uint64_t value = address_space_read(f->machine->memory, gpa, size);
    g_rec_mutex_unlock(&f->machine->lock);
    return value;
}

/* Guest code. */

static void config_out(const CpuBoard *board, uint32_t address, unsigned size, uint32_t value)
{
    address_space_write(board->ports, 0xCF8, 4, 0x80000000u | (address & ~3u));
    address_space_write(board->ports, 0xCFC + (address & 3), size, value);
}

static void guest_opens_shadow(const CpuBoard *board)
{
    config_out(board, 0x90, 1, 0x30);
    address_space_write(board->memory, 0xFFFF0, 1, 0x5A);
}

static void guest_resets_by_cf9(const CpuBoard *board)
{
    address_space_write(board->ports, 0xCF9, 1, 0x06);
}

static void guest_sleeps_for_good(const CpuBoard *board)
{
    config_out(board, 0xF840, 4, 0x601);
    config_out(board, 0xF844, 1, 0x80);
    address_space_write(board->ports, 0x604, 2, 1 << 13);
}

/* Tests. */

static void first_instruction_comes_from_the_bios(void **state)
{
    Fixture *f = *state;
    CpuState cpu;

    assert_int_equal(peek(f, 0xFFFFFFF0, 1), 0xEA);
    assert_int_equal(peek(f, 0xFFFF0, 1), 0xEA);
    fake_get_state(machine_vcpu(f->machine, 0), &cpu);
    assert_int_equal(cpu.segment[CPU_CS].base + cpu.rip, 0xFFFFFFF0);
    fake_get_state(machine_vcpu(f->machine, 1), &cpu);
    assert_true(cpu.wait_sipi);
}

static void time_stands_still_while_paused(void **state)
{
    Fixture *f = *state;

    start(f);
    g_usleep(2000);
    machine_pause(f->machine);
    assert_int_equal(machine_state(f->machine), MACHINE_PAUSED);
    uint64_t then_ns = clock_now_ns(f->machine->clock);
    assert_true(then_ns > 0);
    g_usleep(2000);
    assert_int_equal(clock_now_ns(f->machine->clock), then_ns);
    __atomic_store_n(&fake.code, guest_opens_shadow, __ATOMIC_SEQ_CST);
    g_usleep(5000);
    assert_non_null(fake.code); /* no vCPU runs */
    machine_resume(f->machine);
    run_guest(guest_opens_shadow);
    assert_true(clock_now_ns(f->machine->clock) > then_ns);
}

static void starting_paused_runs_nothing(void **state)
{
    Fixture *f = *state;

    assert_true(machine_start(f->machine, true, NULL));
    assert_int_equal(machine_state(f->machine), MACHINE_PAUSED);
    assert_int_equal(clock_now_ns(f->machine->clock), 0);
}

static void reset_port_brings_back_the_power_on_state(void **state)
{
    Fixture *f = *state;

    start(f);
    run_guest(guest_opens_shadow);
    assert_int_equal(peek(f, 0xFFFF0, 1), 0x5A);
    unsigned before = fake.n_resets;
    run_guest(guest_resets_by_cf9);
    wait_for_event(f, MACHINE_EVENT_RESET);
    assert_int_equal(fake.n_resets, before + 1);
    assert_int_equal(peek(f, 0xFFFF0, 1), 0xEA);
    assert_int_equal(machine_state(f->machine), MACHINE_RUNNING);
    run_guest(guest_opens_shadow); /* it runs on */
}

static void triple_fault_resets(void **state)
{
    Fixture *f = *state;

    start(f);
    __atomic_store_n(&fake.exit, CPU_EXIT_SHUTDOWN, __ATOMIC_SEQ_CST);
    wait_for_event(f, MACHINE_EVENT_RESET);
    assert_int_equal(machine_state(f->machine), MACHINE_RUNNING);
    assert_true(machine_triple_faults(f->machine) >= 1);
    run_guest(guest_opens_shadow);
}

static void sleep_state_5_powers_off(void **state)
{
    Fixture *f = *state;

    start(f);
    f->machine->ram->host[0x5000] = 0x77;
    run_guest(guest_sleeps_for_good);
    wait_for_event(f, MACHINE_EVENT_POWEROFF);
    assert_int_equal(machine_state(f->machine), MACHINE_OFF);
    assert_int_equal(f->machine->ram->host[0x5000], 0);
    start(f); /* and it can be started again */
    run_guest(guest_opens_shadow);
}

static void a_cpu_that_fails_hands_over_to_the_software_cpu(void **state)
{
    Fixture *f = *state;

    start(f);
    assert_string_equal(machine_cpu_name(f->machine), "fake");
    __atomic_store_n(&fake.exit, CPU_EXIT_FAILED, __ATOMIC_SEQ_CST);
    wait_for_event(f, MACHINE_EVENT_CPU);
    assert_string_equal(machine_cpu_name(f->machine), "software");
    g_autofree char *why = machine_dup_cpu_left(f->machine);
    assert_string_equal(why, "no reason");
    assert_int_equal(machine_state(f->machine), MACHINE_RUNNING);
    gint64 end = g_get_monotonic_time() + WAIT_US;
    while (machine_retired(f->machine, 0) == 0 && g_get_monotonic_time() < end)
        g_usleep(500);
    assert_true(machine_retired(f->machine, 0) > 0);
}

/* The guest was told of something that the software CPU does not have. */
static void a_cpu_that_fails_and_cannot_hand_over_says_why(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;

    f->machine->priv->board.model.features[CPU_FEATURES_7C] = UINT32_MAX;
    start(f);
    __atomic_store_n(&fake.exit, CPU_EXIT_FAILED, __ATOMIC_SEQ_CST);
    wait_for_state(f, MACHINE_FAILED);
    g_autofree char *problem = machine_dup_problem(f->machine);
    assert_non_null(strstr(problem, "processor"));
    assert_false(machine_start(f->machine, false, &error));
    assert_non_null(error);
    machine_power_off(f->machine);
    start(f);
}

static void a_full_host_disk_pauses_until_resumed(void **state)
{
    Fixture *f = *state;

    start(f);
    machine_report(f->machine, REQUEST_PROBLEM,
                   (MachineTrouble){ MACHINE_PROBLEM_DISK_FULL, g_strdup("disk-0.qcow2"),
                                     g_strdup("disk-0.qcow2 could not be written") });
    wait_for_state(f, MACHINE_PAUSED_PROBLEM);
    g_autofree char *subject = NULL;
    assert_int_equal(machine_problem(f->machine, &subject), MACHINE_PROBLEM_DISK_FULL);
    assert_string_equal(subject, "disk-0.qcow2");
    g_autofree char *problem = machine_dup_problem(f->machine);
    assert_string_equal(problem, "disk-0.qcow2 could not be written");
    machine_resume(f->machine);
    assert_int_equal(machine_state(f->machine), MACHINE_RUNNING);
    assert_null(machine_dup_problem(f->machine));
    assert_int_equal(machine_problem(f->machine, NULL), MACHINE_PROBLEM_NONE);
    run_guest(guest_opens_shadow);
}

/* The PIT in mode 2 at 1 kHz, its interrupt open in the PIC, the rest closed. */
static void guest_starts_ticks(const CpuBoard *board)
{
    static const uint8_t program[][2] = { { 0x20, 0x11 }, { 0x21, 0x08 }, { 0x21, 0x04 },
                                          { 0x21, 0x01 }, { 0x21, 0xFE }, { 0x43, 0x34 },
                                          { 0x40, 0xA9 }, { 0x40, 0x04 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(program); i++)
        address_space_write(board->ports, program[i][0], 1, program[i][1]);
}

static void ticks_that_a_busy_host_delayed_are_made_up_for(void **state)
{
    MachineConfig config = usual_config();
    config.clock = CLOCK_DETERMINISTIC;
    config.n_cpus = 1;
    memset(&fake, 0, sizeof fake);
    g_autoptr(Machine) machine = machine_new(&config, NULL);
    assert_non_null(machine);
    const CpuBoard *board = fake.board;
    unsigned n = 0;

    g_rec_mutex_lock(&machine->lock);
    clock_start(machine->clock);
    guest_starts_ticks(board);
    clock_advance(machine->clock, 10500000); /* ten ticks, and nobody looks */
    while (board->pending(board->opaque, 0) && n < 100) {
        n += board->acknowledge(board->opaque, 0) == 8;
        address_space_write(board->ports, 0x20, 1, 0x20); /* EOI */
    }
    assert_in_range(n, 10, 11);
    clock_advance(machine->clock, 12500000);
    assert_true(board->pending(board->opaque, 0));
    /* Masked in between: what was owed is forgotten. */
    clock_advance(machine->clock, 20500000);
    address_space_write(board->ports, 0x21, 1, 0xFF);
    clock_advance(machine->clock, 22500000);
    address_space_write(board->ports, 0x21, 1, 0xFE);
    for (n = 0; board->pending(board->opaque, 0) && n < 100; n++) {
        board->acknowledge(board->opaque, 0);
        address_space_write(board->ports, 0x20, 1, 0x20);
    }
    assert_in_range(n, 1, 2);
    g_rec_mutex_unlock(&machine->lock);
}

static void life_cycle_calls_hold_in_any_order(void **state)
{
    Fixture *f = *state;

    machine_pause(f->machine);
    machine_resume(f->machine);
    machine_reset(f->machine);
    assert_int_equal(machine_state(f->machine), MACHINE_OFF);
    for (unsigned i = 0; i < 20; i++) {
        start(f);
        __atomic_store_n(&fake.code, guest_resets_by_cf9, __ATOMIC_SEQ_CST);
        machine_reset(f->machine);
        machine_pause(f->machine);
        machine_reset(f->machine);
        assert_int_equal(machine_state(f->machine), MACHINE_PAUSED);
        machine_resume(f->machine);
        machine_power_off(f->machine);
        assert_int_equal(machine_state(f->machine), MACHINE_OFF);
    }
}

static void refuse(const MachineConfig *config, const char *word)
{
    g_autoptr(GError) error = NULL;

    assert_null(machine_new(config, &error));
    assert_non_null(error);
    if (!strstr(error->message, word))
        fail_msg("“%s” does not say %s", error->message, word);
}

static void what_cannot_be_built_is_refused_with_the_reason(void **state)
{
    MachineConfig config = usual_config();

    config.memory_bytes = UINT64_C(1) << 38;
    refuse(&config, "memory");
    config = usual_config();
    config.firmware_path = "/nonexistent/bios.bin";
    refuse(&config, "/nonexistent/bios.bin");
    config = usual_config();
    config.firmware_path = "/usr/share/seabios/vgabios-stdvga.bin";
    refuse(&config, "not a BIOS");
    config.firmware = MACHINE_FIRMWARE_UEFI;
    config.variables_path = config.firmware_path;
    refuse(&config, "not a UEFI");
    config.firmware_path = config.variables_path = "/nonexistent/code.fd";
    refuse(&config, "/nonexistent/code.fd");
    config = usual_config();
    config.drive[0].path = "/nonexistent/disc.iso";
    refuse(&config, "/nonexistent/disc.iso");
    config = usual_config();
    config.kernel_path = "/usr/share/seabios/bios-256k.bin";
    refuse(&config, "not a Linux kernel");
    config = usual_config();
    config.n_cpus = 17;
    refuse(&config, "CPUs");
}

static void discs_change_while_it_runs(void **state)
{
    Fixture *f = *state;
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("disc-XXXXXX.iso", &path, NULL);
    g_autofree char *blank = g_malloc0(64 << 10);

    memcpy(blank + 0x8000, "\1CD001\1", 7);
    assert_true(g_file_set_contents(path, blank, 64 << 10, NULL));
    start(f);
    if (!machine_set_media(f->machine, 0, path, &error))
        fail_msg("%s", error->message);
    wait_for_event(f, MACHINE_EVENT_MEDIA);
    g_autofree char *now = machine_dup_media(f->machine, 0);
    assert_string_equal(now, path);
    assert_true(machine_set_media(f->machine, 0, NULL, NULL));
    assert_null(machine_dup_media(f->machine, 0));
    assert_false(machine_set_media(f->machine, 0, "/nonexistent/disc.iso", NULL));
    close(fd);
    unlink(path);
}

/* The contract that every device keeps; a guest may touch anything. */
static void any_port_can_be_read_at_any_size(void **state)
{
    Fixture *f = *state;

    g_rec_mutex_lock(&f->machine->lock);
    for (unsigned port = 0; port < 0x10000; port++)
        for (unsigned size = 1; size <= 4; size *= 2)
            address_space_read(f->machine->ports, port, size);
    g_rec_mutex_unlock(&f->machine->lock);
}

static void devices_save_and_load_what_they_are(void **state)
{
    Fixture *f = *state;
    Device *const *devices = machine_devices(f->machine);

    assert_true(machine_start(f->machine, true, NULL));
    g_rec_mutex_lock(&f->machine->lock);
    guest_opens_shadow(fake.board);
    g_rec_mutex_unlock(&f->machine->lock);
    for (unsigned i = 0; devices[i]; i++) {
        g_autoptr(GByteArray) first = g_byte_array_new();
        g_autoptr(GByteArray) second = g_byte_array_new();
        g_autoptr(GError) error = NULL;
        Device *dev = devices[i];
        size_t used;

        g_rec_mutex_lock(&f->machine->lock);
        state_save(dev, dev->ops->state, dev->ops->state_version, first);
        device_reset(dev);
        assert_false(state_load(dev, dev->ops->state, dev->ops->state_version, first->data,
                                first->len - 1, &used, NULL));
        if (!state_load(dev, dev->ops->state, dev->ops->state_version, first->data, first->len,
                        &used, &error))
            fail_msg("%s: %s", dev->id, error->message);
        device_update(dev);
        state_save(dev, dev->ops->state, dev->ops->state_version, second);
        g_rec_mutex_unlock(&f->machine->lock);
        if (first->len != second->len || memcmp(first->data, second->data, first->len) != 0)
            fail_msg("%s is not the same after save and load", dev->id);
    }
    assert_int_equal(peek(f, 0xFFFF0, 1), 0x5A);
}

/* Where registers are: the guest hits them more often than anything else. */
static uint64_t random_address(GRand *random)
{
    static const struct {
        uint64_t start;
        uint32_t size;
    } windows[] = { { 0xA0000, 0x20000 },      { 0xC0000, 0x40000 },   { 0xB0000000, 0x1000 },
                    { 0xB0008000, 0x1000 },    { 0xB00F8000, 0x1000 }, { 0xB00FA000, 0x1000 },
                    { 0xFEC00000, 0x100 },     { 0xFED00000, 0x400 },  { 0xFED1C000, 0x4000 },
                    { 0xE0000000, 0x1000000 }, { 0xE1000000, 0x1000 }, { 0xE1001000, 0x1000 } };
    unsigned i = g_rand_int_range(random, 0, G_N_ELEMENTS(windows));

    return windows[i].start + g_rand_int_range(random, 0, windows[i].size);
}

static uint16_t random_port(GRand *random)
{
    switch (g_rand_int_range(random, 0, 4)) {
    case 0: return g_rand_int(random);
    case 1: return 0x3B0 + g_rand_int_range(random, 0, 0x50);
    case 2: return 0xC000 + g_rand_int_range(random, 0, 0x40);
    default: return g_rand_int_range(random, 0, 0x700);
    }
}

static uint32_t random_value(GRand *random)
{
    return g_rand_boolean(random) ? g_rand_int(random) : 1u << g_rand_int_range(random, 0, 32);
}

static void program_board(const CpuBoard *board)
{
    config_out(board, 0x60, 4, 0xB0000001);
    config_out(board, 0xF840, 4, 0x601);
    config_out(board, 0xF844, 1, 0x80);
    config_out(board, 0xF8F0, 4, 0xFED1C001);
    config_out(board, 0x810, 4, 0xE0000000);
    config_out(board, 0x818, 4, 0xE1000000);
    config_out(board, 0x804, 2, 7);
    config_out(board, 0xFA20, 4, 0xC001);
    config_out(board, 0xFA24, 4, 0xE1001000);
    config_out(board, 0xFA04, 2, 7);
}

static void no_register_access_brings_the_machine_down(void **state)
{
    Fixture *f = *state;
    g_autoptr(GRand) random = g_rand_new_with_seed(20240607);

    assert_true(machine_start(f->machine, true, NULL));
    for (unsigned i = 0; i < 200000; i++) {
        unsigned size = 1u << g_rand_int_range(random, 0, 3), what = g_rand_int_range(random, 0, 4);
        g_rec_mutex_lock(&f->machine->lock);
        if (i % 1000 == 0)
            program_board(fake.board);
        if (what == 0)
            address_space_read(f->machine->ports, random_port(random), size);
        else if (what == 1)
            address_space_write(f->machine->ports, random_port(random), size, random_value(random));
        else if (what == 2)
            address_space_read(f->machine->memory, random_address(random), size);
        else
            address_space_write(f->machine->memory, random_address(random), size,
                                random_value(random));
        g_rec_mutex_unlock(&f->machine->lock);
    }
    machine_power_off(f->machine);
    start(f);
    run_guest(guest_opens_shadow);
    assert_int_equal(peek(f, 0xFFFF0, 1), 0x5A);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(first_instruction_comes_from_the_bios),
        TEST(time_stands_still_while_paused),
        TEST(starting_paused_runs_nothing),
        TEST(reset_port_brings_back_the_power_on_state),
        TEST(triple_fault_resets),
        TEST(sleep_state_5_powers_off),
        TEST(a_cpu_that_fails_hands_over_to_the_software_cpu),
        TEST(a_cpu_that_fails_and_cannot_hand_over_says_why),
        TEST(a_full_host_disk_pauses_until_resumed),
        cmocka_unit_test(ticks_that_a_busy_host_delayed_are_made_up_for),
        TEST(life_cycle_calls_hold_in_any_order),
        cmocka_unit_test(what_cannot_be_built_is_refused_with_the_reason),
        TEST(discs_change_while_it_runs),
        TEST(any_port_can_be_read_at_any_size),
        TEST(devices_save_and_load_what_they_are),
        TEST(no_register_access_brings_the_machine_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
