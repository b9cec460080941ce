/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The trial of dirty rings on kernels made of this program: one that is sound, and some that are
 * not. Each case has a process of its own, as the trial's result is kept for good. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/cpu/kvm/kvm-ring.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEVICE_FD 1000
#define VM_FD 1001
#define RESERVE 64
#define RING_OFFSET (KVM_DIRTY_LOG_PAGE_OFFSET * 4096)
#define MOST_PAGES 4096

/* What is wrong with this kernel. */
static enum { NOTHING, HAS_NO_RINGS, LOGS_EACH_STORE, LOGS_ONCE, OVERRUNS, NEVER_STOPS } flaw;

static uint32_t size, n_pushed, n_reset; /* of the ring, in entries */
static struct kvm_dirty_gfn *ring;
static struct kvm_run *run;
static struct kvm_regs regs;
static bool is_logged[MOST_PAGES];

static int create_vcpu(void)
{
    int fd = memfd_create("vcpu", MFD_CLOEXEC);
    size_t length = RING_OFFSET + size * sizeof *ring;

    if (ftruncate(fd, (off_t)length) < 0)
        abort();
    uint8_t *shared = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    run = (struct kvm_run *)shared;
    ring = (struct kvm_dirty_gfn *)(shared + RING_OFFSET);
    return fd;
}

static void log_store(uint64_t page)
{
    if (page >= MOST_PAGES)
        abort();
    if (is_logged[page] && flaw != LOGS_EACH_STORE)
        return;
    is_logged[page] = true;
    ring[n_pushed++ % size] =
        (struct kvm_dirty_gfn){ .offset = page, .flags = KVM_DIRTY_GFN_F_DIRTY };
}

static void run_guest(void)
{
    unsigned done = 0;

    run->exit_reason = KVM_EXIT_DIRTY_RING_FULL;
    for (; regs.rcx > 0; regs.rcx--, regs.rdi += regs.rdx, done++) {
        bool looks = flaw != OVERRUNS || done % 300 == 299;
        if (looks && flaw != NEVER_STOPS && n_pushed - n_reset >= size - RESERVE)
            return;
        log_store(regs.rdi / 4096);
    }
    run->exit_reason = KVM_EXIT_IO;
}

static int reset_rings(void)
{
    int n = 0;

    for (; ring[n_reset % size].flags & KVM_DIRTY_GFN_F_RESET; n++) {
        struct kvm_dirty_gfn *entry = &ring[n_reset++ % size];
        is_logged[entry->offset] = flaw == LOGS_ONCE;
        entry->flags = 0;
    }
    return n;
}

static int enable(const struct kvm_enable_cap *cap)
{
    size = (uint32_t)(cap->args[0] / sizeof *ring);
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list rest;

    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    switch (request) {
    case KVM_CREATE_VM: return VM_FD;
    case KVM_CHECK_EXTENSION: return flaw == HAS_NO_RINGS ? 0 : 1 << 20;
    case KVM_ENABLE_CAP: return enable(argument);
    case KVM_CREATE_VCPU: return create_vcpu();
    case KVM_GET_VCPU_MMAP_SIZE: return 3 * 4096;
    case KVM_GET_SREGS: memset(argument, 0, sizeof(struct kvm_sregs)); return 0;
    case KVM_SET_REGS: regs = *(struct kvm_regs *)argument; return 0;
    case KVM_RUN: run_guest(); return 0;
    case KVM_RESET_DIRTY_RINGS: return reset_rings();
    default: return 0;
    }
}

static bool works(unsigned with)
{
    int status = 0;
    pid_t child = fork();

    flaw = with;
    if (child == 0)
        _exit(kvm_ring_works(DEVICE_FD) ? 10 : 11);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_in_range(WEXITSTATUS(status), 10, 11);
    return WEXITSTATUS(status) == 10;
}

static void sound_rings_are_relied_on(void **state)
{
    assert_true(works(NOTHING));
}

static void a_kernel_without_rings_is_not(void **state)
{
    assert_false(works(HAS_NO_RINGS));
}

static void rings_with_each_store_are_not(void **state)
{
    assert_false(works(LOGS_EACH_STORE));
}

static void rings_that_log_a_page_but_once_are_not(void **state)
{
    assert_false(works(LOGS_ONCE));
}

static void rings_that_are_overrun_are_not(void **state)
{
    assert_false(works(OVERRUNS));
    assert_false(works(NEVER_STOPS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_rings_are_relied_on),
        cmocka_unit_test(a_kernel_without_rings_is_not),
        cmocka_unit_test(rings_with_each_store_are_not),
        cmocka_unit_test(rings_that_log_a_page_but_once_are_not),
        cmocka_unit_test(rings_that_are_overrun_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
