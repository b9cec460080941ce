/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cpu/kvm/kvm-probe.h"
#include "core/cpu/probe-cache.h"
#include "core/cpu/probe-soft.h"
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define PORT_REAL 0xE0
#define PORT_PROTECTED 0xE4
#define PORT_LONG 0xE8
#define PORT_ROUNDS 0xEC

/* --- What the guest must say, worked out here --- */

static uint32_t rotate_left(uint32_t value, unsigned by)
{
    return value << by | value >> (32 - by);
}

static uint32_t real_mode_value(void)
{
    return rotate_left(0x22221111u + 0x88887777u, 5) * 10007u;
}

static uint32_t protected_mode_value(void)
{
    uint32_t value = __builtin_bswap32(0x12345678) << 8 | 0x12345678 >> 24;
    return value / 1009 + value % 1009 * 65599;
}

static uint32_t long_mode_value(void)
{
    unsigned __int128 product = (unsigned __int128)0x0123456789ABCDEF * 0x10001;
    uint64_t value = ~((uint64_t)product ^ (uint64_t)(product >> 64));
    value = value >> 13 | value << 51;
    value *= 2;
    return ((uint32_t)(value >> 32) ^ (uint32_t)value) + 0x500;
}

static void go_to_rounds(ProbeGuest *guest)
{
    probe_guest_init(guest, 0);
    probe_guest_write(guest, PORT_REAL, real_mode_value());
    probe_guest_write(guest, PORT_PROTECTED, protected_mode_value());
    probe_guest_write(guest, PORT_LONG, long_mode_value());
}

static void right_values_are_taken_in_their_order(void **state)
{
    ProbeGuest guest;
    go_to_rounds(&guest);
    assert_false(guest.wrong);
    assert_int_equal(guest.stage, PROBE_STAGE_ROUNDS);
    uint32_t rounds = probe_guest_read(&guest, PORT_ROUNDS);
    assert_true(rounds > 0);
    probe_guest_write(&guest, PORT_ROUNDS, rounds * 7);
    assert_false(guest.wrong);
    assert_true(guest.mips > 0);
}

static void a_wrong_value_is_noticed_at_each_stage(void **state)
{
    const struct {
        uint16_t port;
        uint32_t value;
    } stages[] = { { PORT_REAL, real_mode_value() },
                   { PORT_PROTECTED, protected_mode_value() },
                   { PORT_LONG, long_mode_value() } };
    for (unsigned wrong = 0; wrong < 3; wrong++) {
        ProbeGuest guest;
        probe_guest_init(&guest, 0);
        for (unsigned i = 0; i <= wrong; i++)
            probe_guest_write(&guest, stages[i].port, stages[i].value ^ (i == wrong));
        assert_true(guest.wrong);
        assert_int_equal(guest.stage, wrong);
    }
    ProbeGuest guest;
    go_to_rounds(&guest);
    probe_guest_write(&guest, PORT_ROUNDS, probe_guest_read(&guest, PORT_ROUNDS) * 7 + 1);
    assert_true(guest.wrong);
}

static void a_stage_left_out_is_noticed(void **state)
{
    ProbeGuest guest;
    probe_guest_init(&guest, 0);
    probe_guest_write(&guest, PORT_LONG, long_mode_value());
    assert_true(guest.wrong);
    probe_guest_init(&guest, 0);
    assert_int_equal(probe_guest_read(&guest, PORT_ROUNDS), 0);
    assert_true(guest.wrong);
    go_to_rounds(&guest); /* an end without a beginning */
    probe_guest_write(&guest, PORT_ROUNDS, 0);
    assert_true(guest.wrong);
}

static void the_software_cpu_runs_the_guest(void **state)
{
    ProbeGuest guest;
    probe_guest_init(&guest, 3 * MS / 2);
    int64_t began = probe_now_ns();
    assert_true(probe_soft_run(&guest));
    print_message("software CPU: %.0f MIPS, in %.1f ms\n", guest.mips,
                  (probe_now_ns() - began) / 1e6);
    assert_true(guest.mips > 1);
}

/* --- KVM, where there is one --- */

static bool has_kvm(void)
{
    KvmTrouble trouble;
    int fd = kvm_device_open(&trouble);
    if (fd < 0)
        print_message("skipped: no usable /dev/kvm here (trouble %d)\n", trouble.kind);
    else
        close(fd);
    return fd >= 0;
}

static void a_choice_takes_less_than_a_tenth_of_a_second(void **state)
{
    int64_t best = INT64_MAX;
    if (!has_kvm())
        skip();
    for (int i = 0; i < 10; i++) {
        CpuProbe probe;
        int64_t began = probe_now_ns();
        cpu_probe(NULL, &probe);
        best = MIN(best, probe_now_ns() - began);
    }
    print_message("measured anew: %.1f ms\n", best / 1e6);
    assert_true(best < 100 * MS);
}

static void kvm_runs_the_guest(void **state)
{
    KvmProbe probe;
    if (!has_kvm())
        skip();
    kvm_probe(5 * MS, 2000 * MS, &probe); /* the test's machine may be busy */
    assert_int_equal(probe.trouble.kind, KVM_TROUBLE_NONE);
    assert_true(probe.mips > 0);
}

static unsigned count_threads(void)
{
    unsigned n = 0;
    g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
    while (tasks && g_dir_read_name(tasks))
        n++;
    return n;
}

static void a_measurement_that_takes_too_long_is_cut_off(void **state)
{
    KvmProbe probe;
    if (!has_kvm())
        skip();
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        int64_t began = probe_now_ns();
        kvm_probe(60000 * MS, 60 * MS, &probe);
        best = MIN(best, probe_now_ns() - began);
        assert_int_equal(probe.trouble.kind, KVM_TROUBLE_HANGS);
    }
    print_message("cut off after %.1f ms\n", best / 1e6);
    assert_true(best < 90 * MS);
    /* And its thread does not go on. */
    for (int i = 0; i < 200 && count_threads() > 1; i++)
        g_usleep(10000);
    assert_int_equal(count_threads(), 1);
}

/* --- The figures in a file --- */

static char *dup_cache_path(void)
{
    return g_strdup_printf("%s/vitrine-probe-test-%d", g_get_tmp_dir(), (int)getpid());
}

static void kept_figures_come_back(void **state)
{
    g_autofree char *path = dup_cache_path();
    const CpuProbe kept = { .kvm_mips = 0.5, .software_mips = 300.25 };
    CpuProbe loaded = { 0 };
    if (g_access(KVM_DEVICE_PATH, F_OK) < 0)
        skip(); /* there is nothing that they would hold for */
    probe_cache_save(path, &kept);
    assert_true(probe_cache_load(path, &loaded));
    assert_true(loaded.kvm_mips == kept.kvm_mips && loaded.software_mips == kept.software_mips);
    assert_true(loaded.was_known);
    g_unlink(path);
    assert_false(probe_cache_load(path, &loaded));
}

static void replace(const char *path, const char *text, const char *from, const char *to)
{
    g_autoptr(GString) changed = g_string_new(text);
    assert_true(g_string_replace(changed, from, to, 1) > 0);
    assert_true(g_file_set_contents(path, changed->str, -1, NULL));
}

static void damaged_or_foreign_figures_do_not_count(void **state)
{
    static const char *const damages[][2] = {
        { "kvm-mips=0.5", "kvm-mips=nan" },   { "kvm-mips=0.5", "kvm-mips=-1" },
        { "kvm-mips=0.5", "kvm-mips=inf" },   { "kvm-mips=0.5", "" },
        { "kvm-mips=0.5", "kvm-mips=fast" },  { "software-mips=", "software-mips=0 " },
        { "[cpu-probe]", "[cpu-probe" },      { "identity=", "identity=0 " },
        { "identity=", "identity=\xff\xfe" }, { "[cpu-probe]", "[other]" },
    };
    g_autofree char *path = dup_cache_path(), *text = NULL;
    const CpuProbe kept = { .kvm_mips = 0.5, .software_mips = 300 };
    CpuProbe loaded = { 0 };
    if (g_access(KVM_DEVICE_PATH, F_OK) < 0)
        skip();
    probe_cache_save(path, &kept);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    for (unsigned i = 0; i < G_N_ELEMENTS(damages); i++) {
        replace(path, text, damages[i][0], damages[i][1]);
        assert_false(probe_cache_load(path, &loaded));
        assert_true(loaded.kvm_mips == 0 && !loaded.was_known);
    }
    for (size_t length = 0; length < strlen(text) - 1; length++) { /* cut anywhere */
        assert_true(g_file_set_contents(path, text, length, NULL));
        CpuProbe cut = { 0 };
        if (probe_cache_load(path, &cut))
            assert_true(cut.kvm_mips > 0 && cut.software_mips > 0);
    }
    g_unlink(path);
}

static void a_known_measurement_is_not_made_again(void **state)
{
    g_autofree char *path = dup_cache_path();
    CpuProbe first, second;
    if (!has_kvm())
        skip();
    cpu_probe(path, &first);
    assert_false(first.was_known);
    if (first.trouble.kind != KVM_TROUBLE_NONE)
        skip(); /* too busy a moment to be measured in */
    int64_t best = INT64_MAX;
    for (int i = 0; i < 20; i++) {
        int64_t began = probe_now_ns();
        cpu_probe(path, &second);
        best = MIN(best, probe_now_ns() - began);
        assert_true(second.was_known);
    }
    print_message("known figures: %.3f ms\n", best / 1e6);
    assert_true(best < MS);
    assert_true(ABS(second.kvm_mips - first.kvm_mips) < 1e-6 * first.kvm_mips);
    g_unlink(path);
}

static void nothing_is_written_where_nothing_can_be(void **state)
{
    CpuProbe probe;
    if (!has_kvm())
        skip();
    cpu_probe("/proc/no/such/place", &probe);
    assert_false(probe.was_known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_values_are_taken_in_their_order),
        cmocka_unit_test(a_wrong_value_is_noticed_at_each_stage),
        cmocka_unit_test(a_stage_left_out_is_noticed),
        cmocka_unit_test(the_software_cpu_runs_the_guest),
        cmocka_unit_test(kvm_runs_the_guest),
        cmocka_unit_test(a_choice_takes_less_than_a_tenth_of_a_second),
        cmocka_unit_test(a_measurement_that_takes_too_long_is_cut_off),
        cmocka_unit_test(kept_figures_come_back),
        cmocka_unit_test(damaged_or_foreign_figures_do_not_count),
        cmocka_unit_test(a_known_measurement_is_not_made_again),
        cmocka_unit_test(nothing_is_written_where_nothing_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
