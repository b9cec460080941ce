/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The guest's memory as the host sees it, on each CPU and while the guest moves from one to the
 * other: no write is missing in the dirty log, and video memory lies where the guest puts it. The
 * guest is tiny-guest.S. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tiny-machine.h"
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_US (3 * G_USEC_PER_SEC / 2)
#define OFTEN_US 200
#define SELDOM_US 100000
#define END_US (20 * G_USEC_PER_SEC)
#define MOVE_US 20000 /* on average */
#define APIC_VERSION 0x14

/* KVM on Intel processors has slots of its own, and refuses others over them: for the local APIC
 * ("APICv"), and for a task state segment and a page table of its own. */
static unsigned n_refused, n_ring_resets; /* atomic */
int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    const struct kvm_userspace_memory_region *slot = argument;
    if (request == KVM_SET_USER_MEMORY_REGION && slot->guest_phys_addr < 0xFF000000 &&
        slot->guest_phys_addr + slot->memory_size > 0xFEE00000 &&
        (slot->guest_phys_addr < 0xFEE01000 ||
         slot->guest_phys_addr + slot->memory_size > 0xFEFFC000)) {
        __atomic_fetch_add(&n_refused, 1, __ATOMIC_SEQ_CST);
        errno = EEXIST;
        return -1;
    }
    int result = (int)syscall(SYS_ioctl, fd, request, argument);
    if (request == KVM_RESET_DIRTY_RINGS && result > 0)
        __atomic_fetch_add(&n_ring_resets, 1, __ATOMIC_SEQ_CST);
    return result;
}

static Machine *start(const CpuOps *cpu, uint8_t what)
{
    g_autoptr(GError) error = NULL;

    if (cpu == &cpu_kvm_ops && access("/dev/kvm", R_OK | W_OK) < 0)
        skip();
    Machine *machine = tiny_machine_new(cpu, 1, what, &error);
    if (!machine)
        fail_msg("%s", error->message);
    assert_true(machine_start(machine, false, &error));
    return machine;
}

/* Video memory, once the guest has switched it on. */
static Ram *find_logged_ram(Machine *machine)
{
    gint64 end = g_get_monotonic_time() + END_US;
    Ram *ram = NULL;

    while (!ram && g_get_monotonic_time() < end) {
        g_rec_mutex_lock(&machine->lock);
        const FlatView *view = address_space_view(machine->memory);
        for (unsigned i = 0; i < view->n; i++)
            if (view->spans[i].ram && view->spans[i].ram->dirty)
                ram = view->spans[i].ram;
        g_rec_mutex_unlock(&machine->lock);
    }
    assert_non_null(ram);
    return ram;
}

/* What a screen does: the pages of the log are looked at, and no others. */
typedef struct {
    Machine *machine;
    Ram *ram;
    uint8_t *pages;
    uint32_t *seen;
    unsigned n_seen;
    gulong rest_us;
    bool quits; /* atomic */
} Taker;

static uint32_t counter_at(const Ram *ram, uint64_t page)
{
    return __atomic_load_n((uint32_t *)(ram->host + (page << RAM_PAGE_SHIFT)), __ATOMIC_SEQ_CST);
}

static void take(Taker *taker)
{
    if (!machine_take_dirty(taker->machine, taker->ram, taker->pages))
        return;
    for (uint64_t i = 0; i < taker->ram->size >> RAM_PAGE_SHIFT; i++)
        if (taker->pages[i]) {
            taker->seen[i] = counter_at(taker->ram, i);
            taker->n_seen++;
        }
}

static gpointer keep_taking(gpointer data)
{
    Taker *taker = data;

    while (!__atomic_load_n(&taker->quits, __ATOMIC_SEQ_CST)) {
        take(taker);
        g_usleep(taker->rest_us);
    }
    return NULL;
}

static void move_about(Machine *machine, gint64 end)
{
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; g_get_monotonic_time() < end; i++) {
        g_usleep((gulong)g_random_int_range(0, 2 * MOVE_US));
        if (!machine_set_cpu(machine, i % 2 ? &cpu_kvm_ops : &cpu_soft_ops, &error))
            fail_msg("%s", error->message);
    }
}

static void check_log(const CpuOps *cpu, TinyGuest guest, bool moves, gulong rest_us)
{
    Machine *machine = start(cpu, guest);
    Taker taker = { .machine = machine, .ram = find_logged_ram(machine), .rest_us = rest_us };
    uint64_t n = taker.ram->size >> RAM_PAGE_SHIFT, n_missing = 0;

    taker.pages = g_new0(uint8_t, n);
    taker.seen = g_new0(uint32_t, n);
    GThread *thread = g_thread_new("taker", keep_taking, &taker);
    if (moves)
        move_about(machine, g_get_monotonic_time() + LOG_US);
    else
        g_usleep(LOG_US);
    machine_pause(machine);
    __atomic_store_n(&taker.quits, true, __ATOMIC_SEQ_CST);
    g_thread_join(thread);
    take(&taker);
    for (uint64_t i = 0; i < n; i++)
        n_missing += taker.seen[i] != counter_at(taker.ram, i);
    print_message("%u pages seen\n", taker.n_seen);
    assert_int_equal(n_missing, 0);
    assert_true(taker.n_seen > n);
    machine_free(machine);
    g_free(taker.pages);
    g_free(taker.seen);
}

static void no_write_is_missing_on_the_software_cpu(void **state)
{
    check_log(&cpu_soft_ops, TINY_WRITES_COUNTERS, false, OFTEN_US);
}

/* The kernel's log on KVM, either way whatever this computer's is worth. */
static void check_kernels_log(const char *way, TinyGuest guest, bool moves, gulong rest_us)
{
    g_setenv("VITRINE_DIRTY_LOG", way, TRUE);
    n_ring_resets = 0;
    check_log(&cpu_kvm_ops, guest, moves, rest_us);
    g_unsetenv("VITRINE_DIRTY_LOG");
    assert_int_equal(n_ring_resets > 0, g_str_equal(way, "ring"));
}

static void no_write_is_missing_in_kvms_bitmap(void **state)
{
    check_kernels_log("bitmap", TINY_WRITES_COUNTERS, false, OFTEN_US);
}

static void no_write_is_missing_in_kvms_bitmap_while_the_guest_moves(void **state)
{
    check_kernels_log("bitmap", TINY_WRITES_COUNTERS, true, OFTEN_US);
}

static void need_rings(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    bool has_rings = ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING) > 0 ||
                     ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING_ACQ_REL) > 0;

    close(fd);
    if (!has_rings)
        skip();
}

static void no_write_is_missing_in_kvms_ring(void **state)
{
    need_rings();
    check_kernels_log("ring", TINY_WRITES_COUNTERS, false, OFTEN_US);
}

static void no_write_is_missing_in_kvms_ring_while_the_guest_moves(void **state)
{
    need_rings();
    check_kernels_log("ring", TINY_WRITES_COUNTERS, true, OFTEN_US);
}

/* All of video memory is more than a ring holds. */
static void no_write_is_missing_when_kvms_ring_is_full(void **state)
{
    need_rings();
    check_kernels_log("ring", TINY_FLOODS, false, SELDOM_US);
}

/* The local APIC's page is not hidden by a window that the guest puts there. */
static void check_exit(const CpuOps *cpu, TinyGuest guest, int code)
{
    Machine *machine = start(cpu, guest);
    gint64 end = g_get_monotonic_time() + END_US;

    while (machine_exit_code(machine) < 0 && g_get_monotonic_time() < end)
        g_usleep(1000);
    assert_int_equal(machine_exit_code(machine), code);
    assert_int_equal(n_refused, 0);
    machine_free(machine);
}

static void video_memory_does_not_hide_the_apic_on_the_software_cpu(void **state)
{
    check_exit(&cpu_soft_ops, TINY_LOOKS, APIC_VERSION);
}

static void video_memory_does_not_hide_the_apic_on_kvm(void **state)
{
    check_exit(&cpu_kvm_ops, TINY_LOOKS, APIC_VERSION);
}

static void writes_to_the_vga_window_keep_their_order_on_the_software_cpu(void **state)
{
    check_exit(&cpu_soft_ops, TINY_DRAWS, 1);
}

static void writes_to_the_vga_window_keep_their_order_on_kvm(void **state)
{
    check_exit(&cpu_kvm_ops, TINY_DRAWS, 1);
}

static void a_closed_a20_gate_shows_on_the_software_cpu(void **state)
{
    check_exit(&cpu_soft_ops, TINY_WRAPS, 1);
}

static void a_closed_a20_gate_shows_on_kvm(void **state)
{
    check_exit(&cpu_kvm_ops, TINY_WRAPS, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_write_is_missing_on_the_software_cpu),
        cmocka_unit_test(no_write_is_missing_in_kvms_bitmap),
        cmocka_unit_test(no_write_is_missing_in_kvms_bitmap_while_the_guest_moves),
        cmocka_unit_test(no_write_is_missing_in_kvms_ring),
        cmocka_unit_test(no_write_is_missing_in_kvms_ring_while_the_guest_moves),
        cmocka_unit_test(no_write_is_missing_when_kvms_ring_is_full),
        cmocka_unit_test(video_memory_does_not_hide_the_apic_on_the_software_cpu),
        cmocka_unit_test(video_memory_does_not_hide_the_apic_on_kvm),
        cmocka_unit_test(writes_to_the_vga_window_keep_their_order_on_the_software_cpu),
        cmocka_unit_test(writes_to_the_vga_window_keep_their_order_on_kvm),
        cmocka_unit_test(a_closed_a20_gate_shows_on_the_software_cpu),
        cmocka_unit_test(a_closed_a20_gate_shows_on_kvm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
