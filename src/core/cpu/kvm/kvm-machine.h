/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The KVM backend's own state and what its files share: a virtual machine of the kernel's
 * (kvm-machine.c), its memory slots (kvm-memory.c) and what the guest has written of them
 * (kvm-dirty.c), its interrupts (kvm-irq.c), and its vCPUs,
 * whose state goes in and out (kvm-state.c), which run (kvm-run.c) and are helped by the software
 * CPU where KVM cannot go on (kvm-assist.c). Included by the files of this folder.
 *
 * The local APICs are in the kernel; PIC, I/O APIC and all timers are the board's (a split
 * irqchip). Source: Documentation/virt/kvm/api.rst of Linux. */

#include "core/cpu/cpu-gate.h"
#include "core/cpu/kvm/kvm-ring.h"
#include <linux/kvm.h>
#include <pthread.h>

#define KVM_MAX_CPUS 64
#define KVM_LEVEL_ROUTES 24 /* as many level-triggered messages as the I/O APIC has inputs */

/* A page table of one page and a task state segment of three, which Intel processors without
 * "unrestricted guest" need: where neither memory nor firmware lies. */
#define KVM_IDENTITY_MAP UINT64_C(0xFEFFC000)
#define KVM_TSS_ADDRESS UINT64_C(0xFEFFD000)
#define KVM_TSS_END UINT64_C(0xFF000000)

typedef struct KvmMachine KvmMachine;
typedef struct KvmAssist KvmAssist; /* kvm-assist.c */

/* A range of guest memory as the kernel has it. */
typedef struct {
    uint64_t start, size;
    Ram *ram;
    uint64_t ram_offset;
    bool read_only;
    bool stays; /* while slots change: it is the same before and after */
    unsigned id;
} KvmSlot;

typedef struct {
    uint64_t start;
    uint32_t size;
} KvmZone;

typedef struct {
    Vcpu vcpu;
    KvmMachine *machine; /* borrowed */
    int fd;              /* owned */
    struct kvm_run *run; /* owned mapping */
    pthread_t thread;    /* who is in run() */
    uint64_t tsc_offset; /* CpuState's, as last seen */
    bool needs_entry;    /* the last exit's instruction is completed by the next entry */
    bool has_failed;     /* the kernel has refused what it promised, since the last set_state() */
    CpuState *refused;   /* owned: the state that it would not take, or NULL */
    KvmRing dirty_ring;  /* of pages written; board lock */
    unsigned n_full;     /* times in a row that it was full of nothing */
    Vcpu *assistant;     /* owned, made when first needed: kvm-assist.c */
    int64_t window_us;   /* since when … */
    int64_t assisted_us; /* … so much time went into the software CPU's help */
    /* Atomic: counts of exits, for whoever asks how it goes. */
    uint64_t n_exits, n_assisted;
} KvmCpu;

struct KvmMachine {
    const CpuBoard *board; /* borrowed */
    unsigned n_vcpus;
    int kvm_fd, vm_fd; /* owned */
    size_t run_size;
    KvmCpu *vcpu[KVM_MAX_CPUS]; /* borrowed; registered by vcpu_init */

    CpuGate gate;
    GMutex lock; /* of tsc_rests */

    GArray *slots;    /* of KvmSlot, sorted; board lock */
    GArray *free_ids; /* of unsigned: slot numbers given back; board lock */
    unsigned n_ids;
    uint32_t dirty_ring_size; /* each vCPU has one of so many entries; 0: the log is a bitmap */

    struct kvm_coalesced_mmio_ring *ring; /* borrowed of the first vCPU; NULL: none; board lock */
    unsigned ring_length;
    KvmZone zone; /* whose writes go there; no size: none */
    bool ring_drains;

    uint32_t step_flags; /* KVM_GUESTDBG_… that this KVM has */

    GArray *bells;                  /* the doorbells that the kernel has; board lock */
    struct kvm_irq_routing *routes; /* owned; board lock */
    unsigned next_route;
    uint32_t unended[8]; /* board lock: vectors whose end the kernel does not tell … */
    bool has_unended;    /* … atomic: if any */

    uint32_t *msrs; /* owned: indices that both KVM and CpuState have */
    unsigned n_msrs;
    uint64_t tsc_ahead; /* the clock in TSC ticks, minus the host's TSC; measured by resume … */
    bool tsc_rests;     /* … and, under lock, when the first vCPU stops */
    enum { KVM_TSC_OFFSET, KVM_TSC_WRITE, KVM_TSC_FIXED } tsc_way;

    GMutex assist_lock;
    KvmAssist *assist; /* owned, made when first needed */
};

static inline KvmCpu *kvm_cpu(Vcpu *vcpu)
{
    return (KvmCpu *)vcpu;
}

/* kvm-run.c */
CpuExit kvm_cpu_run(Vcpu *vcpu);
enum { KVM_GO_ON = -1 }; /* besides the CpuExits */
/* Into the guest once, and the answer to what brought it out. A CpuExit, or KVM_GO_ON. */
int kvm_cpu_visit(KvmCpu *cpu);
/* The instruction of the last exit is finished without the guest going any further. Likewise. */
int kvm_cpu_complete(KvmCpu *cpu);
void kvm_cpu_kick(Vcpu *vcpu);
/* One access of @size bytes, board lock held; those of no usual size (the ends of one that crosses
 * a page) go byte by byte. */
void kvm_access(AddressSpace *space, uint64_t address, uint8_t *data, unsigned size, bool is_write);
bool kvm_cpu_install_kick(GError **error); /* once a process */
/* Lets the kernel do all that it does before it enters the guest, without entering it. Any thread,
 * the vCPU does not run. */
void kvm_cpu_settle(KvmCpu *cpu);
/* kvm-memory.c. on_view: a listener of the address space. */
bool kvm_memory_init(KvmMachine *machine, GError **error);
void kvm_memory_on_view(void *opaque, FlatView *view);
/* The A20 gate may have been moved. Board lock or not; the vCPU is not in its guest. */
void kvm_memory_on_a20(KvmMachine *machine);
/* What @gpa is behind the gate. */
uint64_t kvm_memory_bend(const KvmMachine *machine, uint64_t gpa);
/* What was written in a slot counts for nothing from now on, what will be is logged. */
void kvm_memory_restart_log(KvmMachine *machine, const KvmSlot *slot);
void kvm_memory_clear(KvmMachine *machine);

/* kvm-dirty.c: the pages that the guest has written go to Ram.dirty. init comes before the first
 * slot and the first vCPU. */
void kvm_dirty_init(KvmMachine *machine);
bool kvm_dirty_add_cpu(KvmCpu *cpu); /* false and errno */
void kvm_dirty_remove_cpu(KvmCpu *cpu);
/* CpuOps.collect_dirty, CpuOps.sync_dirty */
void kvm_dirty_collect(void *backend, Ram *ram);
void kvm_dirty_sync(void *backend);
/* A slot is about to go: no vCPU is in its guest. Board lock held. */
void kvm_dirty_collect_slot(KvmMachine *machine, const KvmSlot *slot);
/* Empties all vCPUs' rings and returns how many entries there were. Board lock held. */
unsigned kvm_dirty_harvest(KvmMachine *machine);

/* kvm-coalesced.c */
void kvm_coalesced_init(KvmMachine *machine, KvmCpu *first);
void kvm_coalesced_clear(KvmMachine *machine); /* the first vCPU goes */
void kvm_coalesced_drain(KvmMachine *machine);
void kvm_coalesced_on_view(KvmMachine *machine, const FlatView *view);
/* The same as drain, where the board lock is not held. */
void kvm_coalesced_sync(KvmMachine *machine);

/* kvm-doorbell.c */
void kvm_doorbell_init(KvmMachine *machine);
void kvm_doorbell_clear(KvmMachine *machine);

/* kvm-route.c */
void kvm_route_init(KvmMachine *machine);
bool kvm_route_set(KvmMachine *machine, unsigned gsi, uint64_t address, uint32_t data);
/* Whether one of the first KVM_LEVEL_ROUTES is this message. */
bool kvm_route_is_level(const KvmMachine *machine, uint32_t address, uint32_t data);
int kvm_attach_message(void *backend, int fd, uint64_t address, uint32_t data);
void kvm_detach_message(void *backend, int number, int fd);

/* kvm-irq.c. A message to the local APICs; any thread. */
void kvm_irq_send(void *backend, const ApicMessage *message);
/* No vCPU runs, and each still has its interrupts: board->apic_eoi() for those whose end the kernel
 * was not ready to tell. */
void kvm_irq_make_up_for_ends(KvmMachine *machine);
/* A level-triggered interrupt that another sent: its end must be told all the same. */
void kvm_irq_expect_end(KvmMachine *machine, unsigned apic_id, uint8_t vector);

/* kvm-cpuid.c */
bool kvm_cpuid_features(int kvm_fd, uint32_t out_features[CPU_N_FEATURES]);
bool kvm_cpuid_set(KvmCpu *cpu, GError **error);

/* kvm-state.c */
void kvm_state_init(KvmMachine *machine, KvmCpu *first);
void kvm_get_state(Vcpu *vcpu, CpuState *out_state);
void kvm_set_state(Vcpu *vcpu, const CpuState *state);
/* All but what the software CPU never changes: the local APIC, the clock. */
void kvm_get_registers(KvmCpu *cpu, CpuState *out_state);
void kvm_set_registers(KvmCpu *cpu, const CpuState *state);

/* kvm-msr.c */
void kvm_msr_init(KvmMachine *machine, const KvmCpu *first);
/* False: this KVM does not have it, or not this value. */
bool kvm_try_get_msr(const KvmCpu *cpu, uint32_t index, uint64_t *out_value);
bool kvm_try_set_msr(const KvmCpu *cpu, uint32_t index, uint64_t value);
/* One that it lacks reads 0, and stays. */
uint64_t kvm_get_msr(KvmCpu *cpu, uint32_t index);
void kvm_set_msr(KvmCpu *cpu, uint32_t index, uint64_t value);
void kvm_get_msrs(KvmCpu *cpu, CpuState *state);
void kvm_set_msrs(KvmCpu *cpu, const CpuState *state);

/* kvm-tsc.c */
void kvm_tsc_init(KvmMachine *machine, KvmCpu *first);
void kvm_resume(void *backend);
void kvm_note_tsc(KvmCpu *cpu);           /* stops: what the guest has made of its TSC */
uint64_t kvm_get_tsc_offset(KvmCpu *cpu); /* CpuState.tsc_offset */
void kvm_set_tsc_offset(KvmCpu *cpu, uint64_t offset);

/* kvm-paravirt.c */
/* Which of @wanted this KVM can leave to us. Before the first vCPU. */
void kvm_paravirt_limit(KvmMachine *machine, const CpuModel *wanted, uint32_t out[CPU_N_FEATURES]);
bool kvm_paravirt_init(KvmMachine *machine, GError **error); /* after kvm_tsc_init() */
void kvm_paravirt_on_msr(KvmCpu *cpu);                       /* an exit */
void kvm_paravirt_set_tsc(KvmCpu *cpu);                      /* its TSC may count from elsewhere */

/* kvm-step.c */
CpuExit kvm_step(Vcpu *vcpu);

/* A vCPU's ioctl for what the kernel has promised: a failure (negative) is its bug or ours, and
 * logged. */
int kvm_must(KvmCpu *cpu, unsigned long request, void *argument, const char *what);

/* kvm-apic.c: the local APIC, from the kernel to the board and back. The vCPU does not run. */
void kvm_apic_get(KvmCpu *cpu);
void kvm_apic_set(KvmCpu *cpu, const CpuApic *apic);
/* CpuApic.deadline_ns alone; to be set once the vCPU has its TSC. */
uint64_t kvm_apic_get_deadline(KvmCpu *cpu);
void kvm_apic_set_deadline(KvmCpu *cpu, uint64_t deadline_ns);

/* kvm-assist.c: the software CPU executes the instruction that KVM cannot. False: nor can it, and
 * Vcpu.failure says why. *@out_shutdown: it ended in a triple fault. */
bool kvm_assist(KvmCpu *cpu, bool *out_shutdown);
void kvm_assist_free(KvmAssist *assist);
