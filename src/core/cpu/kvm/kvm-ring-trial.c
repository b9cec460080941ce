/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/kvm/kvm-ring.h"
#include <glib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* The guest adds one to a word in each of some pages, in 32-bit code without paging, which no KVM
 * for hardware of today emulates. */

#define RING_SIZE 1024 /* the smallest that every kernel grants */
#define N_PAGES (RING_SIZE + RING_SIZE / 2)
#define CODE 0x1000u
#define PAGES 0x100000u
#define MEMORY_SIZE (PAGES + N_PAGES * 4096u)
#define N_STORES 64      /* to one page */
#define N_FEW 8          /* entries for it: a kernel may log one twice, at times */
#define MOST_VISITS 1000 /* of the guest, each until its ring is full */

static const uint8_t code[] = {
    0xFF, 0x07, /* again: incl (%edi) */
    0x01, 0xD7, /*        addl %edx, %edi */
    0xE2, 0xFA, /*        loop again */
    0xE6, 0x10, /* stop:  outb %al, $16 */
    0xEB, 0xFC  /*        jmp stop */
};

typedef struct {
    int vm_fd, vcpu_fd;
    uint8_t *memory;
    struct kvm_run *run;
    size_t run_size;
    KvmRing ring;
    uint32_t n_read, n_at_page[N_PAGES];
} Trial;

static bool make_vm(Trial *trial, int device_fd)
{
    struct kvm_userspace_memory_region slot = { .memory_size = MEMORY_SIZE,
                                                .flags = KVM_MEM_LOG_DIRTY_PAGES };

    trial->vm_fd = ioctl(device_fd, KVM_CREATE_VM, 0);
    if (trial->vm_fd < 0 || !kvm_ring_enable(trial->vm_fd, RING_SIZE))
        return false;
    trial->memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (trial->memory == MAP_FAILED) {
        trial->memory = NULL;
        return false;
    }
    memcpy(trial->memory + CODE, code, sizeof code);
    slot.userspace_addr = (uintptr_t)trial->memory;
    return ioctl(trial->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) == 0;
}

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
    return (struct kvm_segment){ .limit = UINT32_MAX,
                                 .selector = selector,
                                 .type = type,
                                 .present = 1,
                                 .db = 1,
                                 .s = 1,
                                 .g = 1 };
}

static bool make_vcpu(Trial *trial, int device_fd)
{
    int size = ioctl(device_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_sregs sregs;

    trial->vcpu_fd = ioctl(trial->vm_fd, KVM_CREATE_VCPU, 0);
    if (trial->vcpu_fd < 0 || size < (int)sizeof *trial->run ||
        !kvm_ring_map(&trial->ring, trial->vcpu_fd, RING_SIZE))
        return false;
    void *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, trial->vcpu_fd, 0);
    if (run == MAP_FAILED || ioctl(trial->vcpu_fd, KVM_GET_SREGS, &sregs) < 0)
        return false;
    trial->run = run;
    trial->run_size = (size_t)size;
    sregs.cs = flat_segment(8, 11);
    sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = flat_segment(16, 3);
    sregs.cr0 |= 1;
    return ioctl(trial->vcpu_fd, KVM_SET_SREGS, &sregs) == 0;
}

static void take_down(Trial *trial)
{
    kvm_ring_unmap(&trial->ring);
    if (trial->run)
        munmap(trial->run, trial->run_size);
    if (trial->vcpu_fd >= 0)
        close(trial->vcpu_fd);
    if (trial->vm_fd >= 0)
        close(trial->vm_fd);
    if (trial->memory)
        munmap(trial->memory, MEMORY_SIZE);
}

static void on_page(void *opaque, uint32_t slot, uint64_t page)
{
    Trial *trial = opaque;

    if (slot == 0 && page >= PAGES / 4096 && page - PAGES / 4096 < N_PAGES)
        trial->n_at_page[page - PAGES / 4096]++;
}

/* False: the ring was overrun. */
static bool read_ring(Trial *trial)
{
    uint32_t before = trial->n_read;
    bool is_whole = kvm_ring_read(&trial->ring, on_page, trial, &trial->n_read);

    kvm_ring_reset(trial->vm_fd, trial->n_read - before);
    return is_whole && kvm_ring_settle(&trial->ring);
}

/* @n stores, @stride bytes apart; what was logged is in the trial then. */
static bool run_guest(Trial *trial, uint32_t n, uint32_t stride)
{
    struct kvm_regs regs = { .rip = CODE, .rdi = PAGES, .rcx = n, .rdx = stride, .rflags = 2 };

    trial->n_read = 0;
    memset(trial->n_at_page, 0, sizeof trial->n_at_page);
    if (ioctl(trial->vcpu_fd, KVM_SET_REGS, &regs) < 0)
        return false;
    for (unsigned i = 0; i < MOST_VISITS; i++) {
        if (ioctl(trial->vcpu_fd, KVM_RUN, NULL) < 0)
            continue; /* a signal */
        uint32_t reason = trial->run->exit_reason;
        if (reason != KVM_EXIT_IO && reason != KVM_EXIT_DIRTY_RING_FULL)
            return false;
        if (!read_ring(trial))
            return false;
        if (reason == KVM_EXIT_IO)
            return true;
    }
    return false;
}

static bool has_page_once(Trial *trial)
{
    return run_guest(trial, N_STORES, 4) && trial->n_at_page[0] > 0 && trial->n_read <= N_FEW;
}

static bool loses_nothing(Trial *trial)
{
    if (!run_guest(trial, N_PAGES, 4096))
        return false;
    for (unsigned i = 0; i < N_PAGES; i++)
        if (trial->n_at_page[i] == 0)
            return false;
    return true;
}

static bool try_rings(int device_fd)
{
    Trial *trial = g_new0(Trial, 1);

    trial->vm_fd = trial->vcpu_fd = -1;
    /* Twice: what was read and reset is logged again. */
    bool good = make_vm(trial, device_fd) && make_vcpu(trial, device_fd) && has_page_once(trial) &&
                has_page_once(trial) && loses_nothing(trial);
    take_down(trial);
    g_free(trial);
    return good;
}

bool kvm_ring_works(int device_fd)
{
    static gsize known; /* of the host, as good for one machine as for another */

    if (g_once_init_enter(&known))
        g_once_init_leave(&known, try_rings(device_fd) ? 2 : 1);
    return known == 2;
}
