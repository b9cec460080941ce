/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/kvm/kvm-probe.h"
#include "core/cpu/kvm/kvm-probe-calls.h"
#include "core/cpu/probe-guest.h"
#include <errno.h>
#include <glib.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define TSS_ADDR 0xFEFFD000u /* three pages and, below, one: where this guest has nothing */
#define IDENTITY_MAP_ADDR UINT64_C(0xFEFFC000)
#define N_GSIS 24
#define MAX_CPUID_ENTRIES 256
#define KICK_SIGNAL SIGURG /* ignored by default, blocked but in KVM_RUN */
#define KICK_PATIENCE_NS INT64_C(10000000)
#define MAKING_NS INT64_C(500000000) /* kernels wait for each other's CPUs there */
#define ENOUGH_NS 30000000           /* of a processor; a sound KVM needs a third of it */
#define MOST_STARVED_NS INT64_C(2000000000)

/* Shared by who waits and the thread that probes, which may outlive the wait. */
typedef struct {
    gatomicrefcount refs;
    ProbeGuest guest;
    int device_fd, vm_fd, vcpu_fd;
    uint8_t *ram;
    struct kvm_run *run;
    size_t run_size;

    GMutex lock;
    GCond changed;   /* is_running, done */
    bool is_running; /* the thread is at the guest, and can be kicked */
    bool kicked, done;
    pthread_t thread;
    pid_t tid;       /* 0: it has not begun */
    KvmProbe result; /* valid with done */
} Probe;

static Probe *probe_new(int64_t budget_ns)
{
    Probe *probe = g_new0(Probe, 1);
    g_atomic_ref_count_init(&probe->refs);
    g_mutex_init(&probe->lock);
    g_cond_init(&probe->changed);
    probe->device_fd = probe->vm_fd = probe->vcpu_fd = -1;
    probe_guest_init(&probe->guest, budget_ns);
    return probe;
}

static void probe_unref(Probe *probe)
{
    if (!g_atomic_ref_count_dec(&probe->refs))
        return;
    g_mutex_clear(&probe->lock);
    g_cond_clear(&probe->changed);
    g_free(probe);
}

/* --- Making the machine --- */

static bool failed(KvmTrouble *trouble, const char *what)
{
    kvm_trouble_from_errno(trouble, what, errno);
    return false;
}

static bool make_vm(Probe *probe, KvmTrouble *trouble)
{
    uint64_t identity_map = IDENTITY_MAP_ADDR;
    struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { N_GSIS } };
    struct kvm_userspace_memory_region slot = { .memory_size = PROBE_RAM_SIZE,
                                                .flags = KVM_MEM_LOG_DIRTY_PAGES };

    probe->device_fd = kvm_device_open(trouble);
    if (probe->device_fd < 0)
        return false;
    probe->vm_fd = kvm_device_create_vm(probe->device_fd, trouble);
    if (probe->vm_fd < 0)
        return false;
    if (ioctl(probe->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) < 0)
        return failed(trouble, "KVM_SET_IDENTITY_MAP_ADDR");
    if (ioctl(probe->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDR) < 0)
        return failed(trouble, "KVM_SET_TSS_ADDR");
    if (ioctl(probe->vm_fd, KVM_ENABLE_CAP, &split) < 0)
        return failed(trouble, "KVM_ENABLE_CAP");
    probe->ram =
        mmap(NULL, PROBE_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (probe->ram == MAP_FAILED) {
        probe->ram = NULL;
        return failed(trouble, "mmap");
    }
    probe_guest_load(probe->ram);
    slot.userspace_addr = (uintptr_t)probe->ram;
    if (ioctl(probe->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
        return failed(trouble, "KVM_SET_USER_MEMORY_REGION");
    return kvm_probe_routing(probe->vm_fd, trouble);
}

/* Without the host's CPUID the guest has no long mode. */
static bool give_cpuid(Probe *probe, KvmTrouble *trouble)
{
    g_autofree struct kvm_cpuid2 *cpuid =
        g_malloc0(sizeof(*cpuid) + MAX_CPUID_ENTRIES * sizeof(cpuid->entries[0]));
    cpuid->nent = MAX_CPUID_ENTRIES;
    if (ioctl(probe->device_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
        return failed(trouble, "KVM_GET_SUPPORTED_CPUID");
    if (ioctl(probe->vcpu_fd, KVM_SET_CPUID2, cpuid) < 0)
        return failed(trouble, "KVM_SET_CPUID2");
    return true;
}

static bool set_entry(Probe *probe, KvmTrouble *trouble)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs = { .rip = PROBE_ENTRY, .rflags = 2 };
    if (ioctl(probe->vcpu_fd, KVM_GET_SREGS, &sregs) < 0)
        return failed(trouble, "KVM_GET_SREGS");
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    if (ioctl(probe->vcpu_fd, KVM_SET_SREGS, &sregs) < 0)
        return failed(trouble, "KVM_SET_SREGS");
    if (ioctl(probe->vcpu_fd, KVM_SET_REGS, &regs) < 0)
        return failed(trouble, "KVM_SET_REGS");
    return true;
}

/* The kick is pending and blocked all the time but in KVM_RUN, which it ends: it needs no handler
 * and cannot come too early. */
static bool let_kicks_in(Probe *probe, KvmTrouble *trouble)
{
    uint64_t blocked = ~(UINT64_C(1) << (KICK_SIGNAL - 1));
    struct {
        struct kvm_signal_mask mask;
        uint8_t bits[sizeof(blocked)];
    } allowed = { .mask.len = sizeof(blocked) };
    memcpy(allowed.bits, &blocked, sizeof(blocked));
    if (ioctl(probe->vcpu_fd, KVM_SET_SIGNAL_MASK, &allowed) < 0)
        return failed(trouble, "KVM_SET_SIGNAL_MASK");
    return true;
}

static bool make_vcpu(Probe *probe, KvmTrouble *trouble)
{
    probe->vcpu_fd = ioctl(probe->vm_fd, KVM_CREATE_VCPU, 0);
    if (probe->vcpu_fd < 0)
        return failed(trouble, "KVM_CREATE_VCPU");
    int size = ioctl(probe->device_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (size < (int)sizeof(struct kvm_run))
        return failed(trouble, "KVM_GET_VCPU_MMAP_SIZE");
    void *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, probe->vcpu_fd, 0);
    if (run == MAP_FAILED)
        return failed(trouble, "mmap of the vCPU");
    probe->run = run;
    probe->run_size = size;
    return give_cpuid(probe, trouble) && set_entry(probe, trouble) &&
           kvm_probe_state(probe->device_fd, probe->vcpu_fd, trouble) &&
           let_kicks_in(probe, trouble);
}

static void take_down(Probe *probe)
{
    if (probe->run)
        munmap(probe->run, probe->run_size);
    if (probe->vcpu_fd >= 0)
        close(probe->vcpu_fd);
    if (probe->vm_fd >= 0)
        close(probe->vm_fd);
    if (probe->ram)
        munmap(probe->ram, PROBE_RAM_SIZE);
    if (probe->device_fd >= 0)
        close(probe->device_fd);
}

/* --- Running it --- */

static void serve_port(Probe *probe)
{
    struct kvm_run *run = probe->run;
    uint32_t value;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    if (run->io.size != sizeof(value) || run->io.count != 1 ||
        run->io.data_offset > probe->run_size - sizeof(value)) {
        probe->guest.wrong = true;
        return;
    }
    if (run->io.direction == KVM_EXIT_IO_OUT) {
        memcpy(&value, data, sizeof(value));
        probe_guest_write(&probe->guest, run->io.port, value);
    } else {
        value = probe_guest_read(&probe->guest, run->io.port);
        memcpy(data, &value, sizeof(value));
    }
}

/* True: the guest may go on. */
static bool serve_exit(Probe *probe, KvmTrouble *trouble)
{
    const char *mode = probe_guest_mode(&probe->guest);
    if (probe->run->exit_reason == KVM_EXIT_IO) {
        serve_port(probe);
        if (probe->guest.wrong)
            *trouble = (KvmTrouble){ .kind = KVM_TROUBLE_WRONG, .what = mode };
        return !probe->guest.wrong && !probe->guest.finished;
    }
    if (probe->run->exit_reason == KVM_EXIT_INTR)
        return true;
    *trouble =
        (KvmTrouble){ .kind = KVM_TROUBLE_STOPS, .what = mode, .version = probe->run->exit_reason };
    /* A triple fault is no giving up: something went wrong before. */
    if (probe->run->exit_reason == KVM_EXIT_SHUTDOWN || probe->run->exit_reason == KVM_EXIT_MMIO)
        trouble->kind = KVM_TROUBLE_WRONG;
    return false;
}

static void run_guest(Probe *probe, KvmTrouble *trouble)
{
    for (;;) {
        int result = ioctl(probe->vcpu_fd, KVM_RUN, 0);
        int error = errno;
        g_mutex_lock(&probe->lock);
        bool kicked = probe->kicked;
        g_mutex_unlock(&probe->lock);
        if (kicked) {
            *trouble =
                (KvmTrouble){ .kind = KVM_TROUBLE_HANGS, .what = probe_guest_mode(&probe->guest) };
            return;
        }
        if (result < 0 && error != EINTR && error != EAGAIN) {
            kvm_trouble_from_errno(trouble, "KVM_RUN", error);
            return;
        }
        if (result >= 0 && !serve_exit(probe, trouble))
            return;
    }
}

static gpointer probe_thread(gpointer opaque)
{
    Probe *probe = opaque;
    KvmProbe result = { 0 };
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    g_mutex_lock(&probe->lock);
    probe->tid = gettid();
    g_mutex_unlock(&probe->lock);

    if (make_vm(probe, &result.trouble) && make_vcpu(probe, &result.trouble)) {
        g_mutex_lock(&probe->lock);
        probe->thread = pthread_self();
        probe->is_running = !probe->kicked;
        g_cond_signal(&probe->changed);
        g_mutex_unlock(&probe->lock);
        run_guest(probe, &result.trouble);
        if (result.trouble.kind == KVM_TROUBLE_NONE)
            kvm_probe_dirty_log(probe->vm_fd, PROBE_SCRATCH, &result.trouble);
    }
    if (result.trouble.kind == KVM_TROUBLE_NONE)
        result.mips = probe->guest.mips;
    g_mutex_lock(&probe->lock);
    probe->result = result;
    probe->done = true;
    probe->is_running = false;
    g_cond_signal(&probe->changed);
    g_mutex_unlock(&probe->lock);
    take_down(probe); /* nobody waits for this: hosts take up to some ten milliseconds */
    probe_unref(probe);
    return NULL;
}

/* --- Waiting --- */

/* How long the thread was ready and had no processor, since @began_ns at most; 0 where it had one
 * for long enough. proc(5), schedstat. */
static int64_t starved_ns(const Probe *probe, int64_t began_ns)
{
    unsigned long long ran = 0, waited = 0;
    char path[64];
    g_autofree char *text = NULL;
    if (probe->tid == 0)
        return probe_now_ns() - began_ns;
    g_snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", (int)probe->tid);
    if (g_file_get_contents(path, &text, NULL, NULL))
        sscanf(text, "%llu %llu", &ran, &waited);
    return ran < ENOUGH_NS ? MIN(waited, MOST_STARVED_NS) : 0;
}

static bool is_past(const Probe *probe, bool making)
{
    return probe->done || (making && probe->is_running);
}

/* Until the probe is done, or with @making until its machine is made, or until it had
 * @allowance_ns. A host that is busy with other things shall not pass for one whose KVM hangs. */
static void wait_fairly(Probe *probe, bool making, int64_t allowance_ns)
{
    int64_t began = probe_now_ns(), end = began + allowance_ns;
    int64_t starved_before = probe->tid ? starved_ns(probe, began) : 0;
    for (;;) {
        while (!is_past(probe, making) &&
               g_cond_wait_until(&probe->changed, &probe->lock, end / 1000))
            continue;
        int64_t later = began + allowance_ns + starved_ns(probe, began) - starved_before;
        if (is_past(probe, making) || later <= end || later > began + MOST_STARVED_NS)
            return;
        end = later;
    }
}

static void kick(Probe *probe)
{
    probe->kicked = true;
    if (!probe->is_running)
        return;
    probe->run->immediate_exit = 1;
    pthread_kill(probe->thread, KICK_SIGNAL);
}

void kvm_probe(int64_t budget_ns, int64_t limit_ns, KvmProbe *out_probe)
{
    g_autoptr(GError) error = NULL;
    Probe *probe = probe_new(budget_ns);
    g_atomic_ref_count_inc(&probe->refs);
    GThread *thread = g_thread_try_new("kvm-probe", probe_thread, probe, &error);
    *out_probe = (KvmProbe){ .trouble = { .kind = KVM_TROUBLE_HANGS, .what = "real" } };
    if (!thread) {
        *out_probe = (KvmProbe){
            .trouble = { .kind = KVM_TROUBLE_FAILED, .error = EAGAIN, .what = "pthread_create" }
        };
        probe_unref(probe);
        probe_unref(probe);
        return;
    }
    g_thread_unref(thread);
    g_mutex_lock(&probe->lock);
    wait_fairly(probe, true, MAKING_NS);
    wait_fairly(probe, false, limit_ns - KICK_PATIENCE_NS);
    if (!probe->done) {
        kick(probe);
        wait_fairly(probe, false, KICK_PATIENCE_NS);
    }
    if (probe->done)
        *out_probe = probe->result;
    g_mutex_unlock(&probe->lock);
    probe_unref(probe);
}
