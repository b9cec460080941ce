/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What machine.c (life cycle), machine-cpus.c (vCPU threads), machine-drives.c (media) and pc.c
 * (the parts list) share. */

#include "core/cpu/paravirt.h"
#include "core/dev/acpi-pm.h"
#include "core/dev/fw-cfg.h"
#include "core/dev/lpc.h"
#include "core/dev/mch.h"
#include "core/dev/rtc.h"
#include "core/firmware/linux.h"
#include "core/firmware/nvram.h"
#include "core/irq/apic.h"
#include "core/irq/ioapic.h"
#include "core/irq/pic.h"
#include "core/machine/lost-ticks.h"
#include "core/machine/machine.h"

#define FOUR_GIB (UINT64_C(1) << 32)

/* What went wrong; of kind NONE when nothing did. Strings owned. */
typedef struct {
    MachineProblem kind;
    char *subject, *text;
} MachineTrouble;

typedef struct MachinePrivate MachinePrivate;

typedef struct {
    Machine *machine; /* borrowed */
    Vcpu *vcpu;       /* owned */
    GThread *thread;  /* owned */
    bool is_parked;   /* run_lock */
    bool is_done;     /* run_lock: shut down or failed, runs no more until the machine resets … */
    bool is_stuck;    /* run_lock: … or until another backend takes it over */
} MachineCpu;

typedef struct {
    Disk *disk;     /* owned; NULL: no disc */
    char *path;     /* owned */
    DiskStats gone; /* of the discs that were in it before */
    bool is_cdrom, read_only;
} MachineDriveSlot;

/* Things that devices and workers ask for and the control thread does. */
typedef enum {
    REQUEST_RESET = 1,
    REQUEST_POWER_OFF,
    REQUEST_PROBLEM,
    REQUEST_FAIL,
    REQUEST_MEDIA,
    REQUEST_SOFTWARE_CPU,
    REQUEST_QUIT
} MachineRequest;

/* Levels of the interrupt wires between the parts; each part's update tells its own anew. */
typedef struct {
    uint32_t isa;      /* by device, on gsi[] */
    uint16_t pirq_isa; /* PIRQs that are routed to ISA interrupts */
    uint8_t pirq;
} MachineWires;

struct MachinePrivate {
    /* What the definition said. Owned. */
    MachineConfig config;
    uint64_t low_ram_size;

    /* vCPUs. run_lock is a leaf lock but for the board lock, which may be held around it. */
    MachineCpu cpu[MACHINE_MAX_CPUS];
    unsigned n_cpus;
    CpuBoard board;
    const CpuOps *cpu_ops; /* who runs them now … */
    void *backend;         /* … and what it keeps: owned. Both change under dirty_lock,
                              board lock and run_lock */
    GMutex run_lock;
    GMutex dirty_lock; /* who takes a dirty log keeps the backend; taken before the board lock */
    GCond run_cond;
    bool run, quit;    /* run_lock */
    unsigned n_parked; /* run_lock */

    /* Life cycle: one change at a time, under life_lock; taken before every other lock. */
    GRecMutex life_lock;
    MachineState state; /* atomic */
    GThread *control;
    GAsyncQueue *requests;
    unsigned pending; /* atomic: bits of requests queued and not yet begun */
    GMutex text_lock;
    MachineTrouble problem;        /* text_lock */
    char *cpu_left;                /* text_lock: why the CPU that was asked for runs no more */
    const CpuOps *cpu_failed;      /* text_lock: which could not go on, last */
    MachineTrouble coming_problem; /* text_lock: for the request under way */
    unsigned n_triple_faults;      /* atomic */
    void (*listener)(void *opaque, MachineEvent event);
    void *listener_opaque;
    int exit_code;

    /* Parts. Owned, most through devices. */
    GPtrArray *devices; /* NULL-terminated; the local APICs come last and are their bus's */
    unsigned n_owned_devices;
    LapicBus *lapics;
    Pic *pic;
    Ioapic *ioapic;
    Lpc *lpc;
    Mch *mch;
    FwCfg *fw_cfg;
    AcpiPm *acpi_pm;
    Rtc *rtc;
    Paravirt *paravirt;
    Ram *bios;    /* or UEFI */
    Ram *vga_rom; /* NULL with UEFI, which brings its own driver */
    Nvram *nvram; /* NULL without UEFI */
    MachineWires wires;
    LostTicks ticks;
    bool a20;              /* atomic */
    LinuxBoot *linux_boot; /* owned; NULL: firmware boots */

    MachineDriveSlot drive[MACHINE_MAX_DRIVES];
    GPtrArray *virtio; /* owned array of borrowed Virtio */
};

/* pc.c */
bool pc_build(Machine *machine, GError **error);
void pc_clear(Machine *machine);
/* pc-firmware.c */
bool pc_load_firmware(Machine *machine, GError **error);
void pc_fill_cmos(Machine *machine);
void pc_fill_fw_cfg(Machine *machine);
void pc_boot_kernel(Machine *machine); /* after a reset; board lock held */

/* Every device's reset, then every device's update. Board lock held. */
void pc_reset(Machine *machine);

/* machine-board.c */
void machine_board_init(Machine *machine);

/* machine-cpus.c */
bool machine_cpus_new(Machine *machine, GError **error);
void machine_cpus_start_threads(Machine *machine);
void machine_cpus_free(Machine *machine);
void machine_cpus_run(Machine *machine);
void machine_cpus_halt(Machine *machine);  /* asks all to stop; any thread, board lock or not */
void machine_cpus_stop(Machine *machine);  /* halts and waits; board lock not held */
void machine_cpus_reset(Machine *machine); /* stopped */
/* Who hears of writes to memory that CPUs may hold decoded. */
void machine_cpus_watch_code(Machine *machine);

/* machine-drives.c */
bool machine_drives_open(Machine *machine, GError **error);
void machine_drives_attach(Machine *machine);
void machine_drives_close(Machine *machine);
char *machine_drive_dup_serial(Machine *machine, unsigned drive);
void machine_drives_retry(Machine *machine);
/* The host cannot take a write to the file at @path: the machine pauses, and says why. */
void machine_report_write_problem(Machine *machine, const char *path, int error_number);

/* machine-virtio.c. The virtio devices that the configuration asks for, in address order. */
bool machine_virtio_build(Machine *machine, bool (*add)(Machine *, Device *, GError **),
                          GError **error);
/* PCI slot of the disk controller of @drive. */
unsigned machine_virtio_slot(unsigned drive);
/* What moves besides vCPUs and time: devices' own threads and disk I/O stop, and go on. Afterwards
 * nothing is under way but what a full host disk has parked. Board lock not held. */
void machine_io_rest(Machine *machine);
/* Gives up what the guest has asked for and nobody has begun: it is about to lose its power, and
 * may have asked for hours of it. vCPUs are stopped. */
void machine_io_forget(Machine *machine);
void machine_io_take_no_more(Machine *machine); /* devices' own threads begin nothing any more */
void machine_io_resume(Machine *machine);

/* machine-move.c. A backend that cannot go on, from its vCPU's thread: the control thread then
 * moves the guest to the software CPU, if @failed still runs it. @why is copied. */
void machine_request_software_cpu(Machine *machine, const CpuOps *failed, const char *why);
void machine_move_to_software(Machine *machine);

/* machine.c */
void machine_notify(Machine *machine, MachineEvent event);
void machine_request(Machine *machine, MachineRequest request);
/* Takes @trouble's strings. The machine pauses (PROBLEM) or fails (FAIL) and says so. */
void machine_report(Machine *machine, MachineRequest request, MachineTrouble trouble);
