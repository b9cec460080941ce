/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The CPU as the rest of the machine sees it: a table of operations a backend (CpuOps), a vCPU
 * (Vcpu) with its thread, and the whole architectural state (CpuState) that every backend can take
 * over from any other. Included by the board, the local APIC and the backends.
 *
 * Threads. cpu_run() and everything below it is the vCPU's own thread. vcpu_signal() is for any
 * thread. The rest is called while the vCPU is stopped. */

#include "core/clock/clock.h"
#include "core/cpu/cpu-model.h"
#include "core/memory/address-space.h"

typedef struct Vcpu Vcpu;
typedef struct ApicMessage ApicMessage; /* core/irq/apic.h */
typedef struct Paravirt Paravirt;       /* core/cpu/paravirt.h */

/* Why a vCPU is asked to look up from its guest; bits of Vcpu.signals. */
enum {
    VCPU_SIGNAL_INTERRUPT = 1 << 0, /* the local APIC or the PIC may have a vector: ask the board */
    VCPU_SIGNAL_NMI = 1 << 1,
    VCPU_SIGNAL_INIT = 1 << 2,
    VCPU_SIGNAL_SIPI = 1 << 3, /* vector in Vcpu.sipi_vector */
    VCPU_SIGNAL_STOP = 1 << 4, /* return from run: pause, reset, end */
    VCPU_SIGNAL_WORK = 1 << 5, /* the backend's own: look at its mailbox */
    VCPU_SIGNAL_A20 = 1 << 6,  /* the A20 gate changed */
};

typedef enum {
    CPU_EXIT_STOPPED,  /* VCPU_SIGNAL_STOP was seen */
    CPU_EXIT_HALTED,   /* HLT or waiting for SIPI: run again when a signal is pending */
    CPU_EXIT_SHUTDOWN, /* triple fault: the board resets, as a PC does */
    CPU_EXIT_FAILED,   /* this backend cannot go on; Vcpu.failure says why */
} CpuExit;

typedef struct {
    uint64_t base;
    uint32_t limit; /* in bytes, after granularity */
    uint16_t selector;
    uint16_t attributes; /* as in VMCS access rights: type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B
                            14, G 15 */
} CpuSegment;

enum { CPU_ES, CPU_CS, CPU_SS, CPU_DS, CPU_FS, CPU_GS, CPU_N_SEGMENTS };

/* An event that was accepted and not yet delivered through the IDT: KVM may stop in between. */
typedef enum {
    CPU_EVENT_NONE,
    CPU_EVENT_INTERRUPT,
    CPU_EVENT_NMI,
    CPU_EVENT_EXCEPTION
} CpuEventKind;
typedef struct {
    CpuEventKind kind;
    uint8_t vector; /* interrupt, exception */
    bool has_error;
    uint32_t error;
} CpuEvent;

/* Everything architectural. Same meaning on every backend. */
typedef struct {
    uint64_t gpr[16]; /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
    uint64_t rip, rflags;
    CpuSegment segment[CPU_N_SEGMENTS], ldt, task;
    struct {
        uint64_t base;
        uint16_t limit;
    } gdt, idt;
    uint64_t cr0, cr2, cr3, cr4, efer;
    uint64_t dr[8];
    uint64_t xcr0;
    uint8_t xsave[832] __attribute__((aligned(64))); /* legacy area, header, AVX; standard format */
    struct {
        uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux, pat;
        uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
        uint64_t misc_enable, debugctl, mtrr_def_type, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
        uint64_t spec_ctrl;
    } msr;
    uint64_t tsc_offset; /* guest TSC = the clock's time in ticks of CpuModel.tsc_hz, + this */
    uint64_t tsc_adjust; /* IA32_TSC_ADJUST: the guest's own part of tsc_offset */
    bool halted, wait_sipi;
    bool interrupt_shadow; /* after STI, MOV SS, POP SS */
    bool nmi_blocked, nmi_pending;
    CpuEvent event;
} CpuState;

/* A local APIC: IA32_APIC_BASE, and the registers of its page by offset / 16 (SDM vol. 3A table
 * 11-1), in xAPIC form whatever its mode. */
typedef struct {
    uint64_t base;
    uint64_t
        deadline_ns; /* of its timer in TSC-deadline mode, on the machine's clock; 0: not armed */
    uint32_t registers[64];
} CpuApic;

/* What the CPU needs of the board. Each call may take the board lock; the vCPU holds none. */
typedef struct {
    void *opaque;
    GRecMutex *lock;
    AddressSpace *memory, *ports;
    Clock *clock;
    CpuModel model;     /* what the guest is told */
    Paravirt *paravirt; /* borrowed; NULL: the model offers nothing of it */
    /* The next interrupt vector for vCPU @id, acknowledged (INTA), or -1 when there is none now. */
    int (*acknowledge)(void *opaque, unsigned id);
    /* Whether acknowledge would give a vector. Lock-free hint; may be late, never wrong for long.
     */
    bool (*pending)(void *opaque, unsigned id);
    /* IA32_APIC_BASE and the x2APIC range 0x800-0x8FF; false: #GP. */
    bool (*apic_read_msr)(void *opaque, unsigned id, uint32_t msr, uint64_t *out_value);
    bool (*apic_write_msr)(void *opaque, unsigned id, uint32_t msr, uint64_t value);
    uint8_t (*get_cr8)(void *opaque, unsigned id); /* TPR bits 7:4 */
    void (*set_cr8)(void *opaque, unsigned id, uint8_t value);
    /* The local APIC's page: where it answers (lock-free; UINT64_MAX: nowhere) and its registers.
     */
    uint64_t (*apic_page)(void *opaque, unsigned id);
    uint64_t (*apic_read)(void *opaque, unsigned id, uint64_t offset, unsigned size);
    void (*apic_write)(void *opaque, unsigned id, uint64_t offset, unsigned size, uint64_t value);
    /* A backend that keeps the local APICs itself (KVM does, in the kernel) says so with @send,
     * which gets every message from then on, board lock held; NULL: the board's own work again.
     * Meanwhile of the calls above only acknowledge() and pending() are for it, and speak of the
     * PIC alone. */
    void (*apic_keep)(void *opaque, void (*send)(void *backend, const ApicMessage *message),
                      void *backend);
    void (*apic_get)(void *opaque, unsigned id, CpuApic *out_apic);
    void (*apic_set)(void *opaque, unsigned id, const CpuApic *apic);
    void (*apic_eoi)(void *opaque,
                     uint8_t vector); /* of a level-triggered message; takes the lock */
    bool (*a20)(void *opaque);        /* the gate is open: address line 20 passes */
    /* FERR#: an unmasked x87 error with CR0.NE clear (IRQ 13). */
    void (*x87_error)(void *opaque, unsigned id);
} CpuBoard;

typedef struct CpuOps {
    const char *name; /* "software", "kvm" */
    /* Backend data common to the vCPUs of a machine. */
    void *(*machine_new)(const CpuBoard *board, unsigned n_vcpus, GError **error);
    void (*machine_free)(void *backend);
    /* Leaves out of @model what this backend cannot do, and sets its TSC's rate if that is given.
     * Before the first vCPU. May be NULL: it can do everything. */
    bool (*limit_model)(void *backend, CpuModel *model, GError **error);
    /* Without a machine: the TSC's rate of a guest with @model on this host; 0: this backend cannot
     * be had here, or not with all of @model. May be NULL. */
    uint64_t (*tsc_hz_here)(const CpuModel *model);
    size_t vcpu_size; /* of a struct whose first member is Vcpu */
    bool (*vcpu_init)(Vcpu *vcpu, GError **error);
    void (*vcpu_clear)(Vcpu *vcpu);
    CpuExit (*run)(Vcpu *vcpu);
    void (*kick)(Vcpu *vcpu); /* any thread: make run look at Vcpu.signals soon */
    void (*get_state)(Vcpu *vcpu, CpuState *out_state);
    void (*set_state)(Vcpu *vcpu, const CpuState *state);
    /* Executes one instruction, or delivers what is due instead. What @run has decoded before
     * counts for nothing. STOPPED when done. The vCPU's thread; NULL where it cannot be had. */
    CpuExit (*step)(Vcpu *vcpu);
    uint64_t (*retired)(const Vcpu *vcpu); /* instructions so far; any thread, roughly */
    /* Time goes on: called before vCPUs run again after the clock stood. May be NULL. */
    void (*resume)(void *backend);
    /* From now on the host's kernel sends the message @address, @data for each event of the eventfd
     * @fd. Its number, or -1: it cannot. Board lock held. May be NULL (irq/msi-route.h). */
    int (*attach_message)(void *backend, int fd, uint64_t address, uint32_t data);
    /* No more, and none is under way; what @fd got since then stays in it. */
    void (*detach_message)(void *backend, int number, int fd);
    /* Before a dirty log is read: writes into Ram.dirty what the CPUs keep elsewhere. Any thread,
     * no lock held. May be NULL. */
    void (*collect_dirty)(void *backend, Ram *ram);
    /* Any thread, board lock not held: after it returns, each guest store begun before it is
     * visible, and the next store to a page of a dirty-logged Ram marks the page again. The taker
     * of a dirty log clears bits, calls this, then reads the memory. */
    void (*sync_dirty)(void *backend);
    /* Ram.on_code_written goes here: host code wrote guest memory that a CPU may hold decoded. Any
     * thread. */
    void (*code_written)(void *backend, Ram *ram, uint64_t offset, uint64_t length);
} CpuOps;

struct Vcpu {
    const CpuOps *ops;
    const CpuBoard *board; /* borrowed */
    void *backend;         /* borrowed: from machine_new */
    unsigned id;           /* also its APIC id */
    unsigned signals;      /* atomic: VCPU_SIGNAL_* */
    unsigned in_guest;     /* atomic: inside cpu-gate.h's gate */
    uint8_t sipi_vector;   /* valid with VCPU_SIGNAL_SIPI */
    unsigned wake_mask;    /* set by run with CPU_EXIT_HALTED: the signals that end this halt */
    char *failure;         /* owned; with CPU_EXIT_FAILED */
    /* owned by vcpu.c: */
    GMutex wait_lock;
    GCond wait_cond;
};

extern const CpuOps cpu_soft_ops;
extern const CpuOps cpu_kvm_ops;

/* A value of IA32_TSC_DEADLINE on a vCPU with that CpuState.tsc_offset, as the machine's clock has
 * it, and back. 0, not armed, stays 0; a time that is past stays past. */
uint64_t cpu_deadline_to_ns(uint64_t deadline, uint64_t tsc_offset, uint64_t tsc_hz);
uint64_t cpu_deadline_from_ns(uint64_t deadline_ns, uint64_t tsc_offset, uint64_t tsc_hz);

/* The state after power-on or INIT (SDM vol. 3A table 10-1). Only vCPU 0 starts; the others wait
 * for SIPI. */
void cpu_state_reset(CpuState *state, bool is_boot_cpu);

/* In @state; NULL: as after power-on. */
Vcpu *vcpu_new(const CpuOps *ops, const CpuBoard *board, void *backend, unsigned id,
               const CpuState *state, GError **error);
void vcpu_free(Vcpu *vcpu);
/* Sets @signals and makes the vCPU look: out of its guest, or out of its halt. Any thread. */
void vcpu_signal(Vcpu *vcpu, unsigned signals);
/* Runs until VCPU_SIGNAL_STOP, a triple fault or a failure; sleeps while halted. With a
 * deterministic clock a halt moves time to the next event instead. The vCPU's thread. Never returns
 * HALTED. */
CpuExit vcpu_run(Vcpu *vcpu);
