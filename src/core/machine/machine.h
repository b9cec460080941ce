/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The machine: a Q35-class PC as a parts list (pc.c), its vCPU threads, and its life: off, running,
 * paused. The engine builds one from a definition; tests build one from a MachineConfig. Devices
 * see the board part of the struct. */

#include "core/block/disk.h"
#include "core/clock/clock.h"
#include "core/cpu/cpu.h"
#include "core/dev/device.h"
#include "core/irq/irq.h"
#include "core/memory/address-space.h"
#include "core/pci/pci.h"

typedef struct CharBackend CharBackend; /* core/dev/char-backend.h */
typedef struct Vga Vga;                 /* core/dev/vga.h */
typedef struct I8042 I8042;             /* core/dev/i8042.h */
typedef struct Ahci Ahci;               /* core/dev/ahci.h */

typedef struct {
    const char *path; /* image file; NULL: an empty CD drive */
    bool is_cdrom;
    bool is_virtio; /* a disk at a virtio controller of its own, not at AHCI */
    bool read_only;
    bool is_absent; /* nothing at this port; the rest counts for nothing */
} MachineDrive;

/* Hyper-V's interface for guests: WHERE_THERE is without it on a CPU that cannot have it. */
typedef enum { MACHINE_HYPERV_OFF, MACHINE_HYPERV_WHERE_THERE, MACHINE_HYPERV_ON } MachineHyperv;
typedef enum { MACHINE_FIRMWARE_BIOS, MACHINE_FIRMWARE_UEFI } MachineFirmware;

#define MACHINE_MAX_CPUS 16
#define MACHINE_MAX_DRIVES 6

typedef struct {
    const char *name;
    uint8_t uuid[16];
    uint64_t memory_bytes;
    unsigned n_cpus;
    const CpuOps *cpu;  /* &cpu_soft_ops, &cpu_kvm_ops */
    CpuModelName model; /* what the guest is told of it */
    MachineHyperv hyperv;
    ClockKind clock;
    MachineFirmware firmware;
    const char *firmware_path;  /* its image; NULL: SeaBIOS or OVMF where distributions put it */
    const char *vga_rom_path;   /* NULL: SeaVGABIOS where distributions put it */
    const char *variables_path; /* UEFI variables of a new machine, which go with firmware_path */
    const char *nvram_path;     /* keeps this machine's UEFI variables; NULL: nothing does */
    bool forget_nvram;          /* reads them there, but keeps no change */
    MachineDrive drive[MACHINE_MAX_DRIVES]; /* AHCI ports 0.., but for those at virtio */
    unsigned n_drives;
    bool has_rng; /* virtio entropy device; not with a deterministic clock, which it would mock */
    const char *boot_order; /* "cdrom,disk" (default), "disk,cdrom" */
    bool boot_menu;
    /* Direct Linux boot, for benchmarks and tests: NULL or paths. */
    const char *kernel_path, *initrd_path, *kernel_command_line;
    bool debug_exit;  /* test guests: a write to port 501h powers off, with machine_exit_code() */
    int64_t rtc_base; /* seconds since 1970 at power-on; -1: the host's time */
} MachineConfig;

typedef enum {
    MACHINE_OFF,
    MACHINE_RUNNING,
    MACHINE_PAUSED,         /* paused by a user */
    MACHINE_PAUSED_PROBLEM, /* the host cannot take a write (disk full) */
    MACHINE_FAILED
} MachineState;

typedef enum {
    MACHINE_EVENT_STATE,
    MACHINE_EVENT_RESET,
    MACHINE_EVENT_MEDIA,
    MACHINE_EVENT_POWEROFF,
    MACHINE_EVENT_CPU /* another CPU runs it: machine_cpu_name() */
} MachineEvent;

typedef enum {
    MACHINE_PROBLEM_NONE,
    MACHINE_PROBLEM_DISK_FULL, /* no room for a write on the host */
    MACHINE_PROBLEM_DISK,      /* a write failed otherwise */
    MACHINE_PROBLEM_CPU        /* this CPU cannot go on */
} MachineProblem;

struct Machine {
    /* The board, for devices. */
    GRecMutex lock;
    AddressSpace *memory, *ports;
    Ram *ram; /* main memory, low part first */
    Clock *clock;
    PciBus *pci;
    IrqLine gsi[24]; /* ISA IRQ n is gsi[n]; each fans out to PIC and IOAPIC */
    /* Parts with a face for the front end. Borrowed. */
    Vga *vga;
    I8042 *i8042;
    Ahci *ahci;
    CharBackend *serial;   /* COM1 */
    CharBackend *debugcon; /* port 402h */
    /* The rest is machine.c's. */
    struct MachinePrivate *priv;
};

/* Builds the machine, powered off. Errors (missing firmware, memory larger than the host's, an
 * image in use or damaged) say what to do. */
Machine *machine_new(const MachineConfig *config, GError **error);
void machine_free(Machine *machine); /* powers off first */

/* Life cycle. Any thread but a vCPU's; return when done. start on a machine that runs does nothing.
 */
bool machine_start(Machine *machine, bool paused, GError **error);
void machine_pause(Machine *machine);
void machine_resume(Machine *machine); /* also retries what a full disk parked */
void machine_reset(Machine *machine);
void machine_power_off(Machine *machine);
void machine_press_power_button(Machine *machine); /* ACPI */
MachineState machine_state(const Machine *machine);
/* Why it failed or paused by itself, in words for the user; NULL when there is nothing to say. dup.
 */
char *machine_dup_problem(Machine *machine);
/* The same for programs: its kind, and in @out_subject (may be NULL; owned) what it is about, a
 * disk's path or what the processor met. */
MachineProblem machine_problem(Machine *machine, char **out_subject);
/* How often the guest's processor gave up and the board reset, since the machine was made. */
unsigned machine_triple_faults(const Machine *machine);

/* @callback runs on any thread, no lock held, after each event. One listener. */
void machine_set_listener(Machine *machine, void (*callback)(void *opaque, MachineEvent event),
                          void *opaque);

/* Moves the guest to another CPU; a running one goes on there. Thread and return as above. False:
 * the other CPU cannot be had, or cannot do what the guest has been told that it can; all is as
 * before.
 */
bool machine_set_cpu(Machine *machine, const CpuOps *ops, GError **error);
/* "software" or "kvm"; static. */
const char *machine_cpu_name(Machine *machine);
/* Why the machine left its CPU by itself (MACHINE_EVENT_CPU), in words; NULL: it has not. dup. */
char *machine_dup_cpu_left(Machine *machine);

/* Whether a kernel still has a vCPU that was told to stop, now; all are told so with @for_good, and
 * the machine is then to be powered off. Any thread; waits for nobody who waits for a vCPU. */
bool machine_is_stuck(Machine *machine, bool for_good);
/* Where that does not end: writes the disks out, and closes them if that is possible without the
 * vCPU. False: not within seconds. Afterwards only the process can end. Thread as above. */
bool machine_abandon(Machine *machine);

/* Removable media. @path NULL ejects. */
bool machine_set_media(Machine *machine, unsigned drive, const char *path, GError **error);
/* Path of the disc or disk that the guest can reach, or NULL: none, or the guest has opened the
 * tray. MACHINE_EVENT_MEDIA says when that has changed. */
char *machine_dup_media(Machine *machine, unsigned drive);
/* What the guest read and wrote since power-on, of discs that are out again too. False: no such
 * drive. */
bool machine_get_drive_stats(Machine *machine, unsigned drive, DiskStats *out_stats);

/* What the guest wrote to the debug exit port; -1: nothing so far. */
int machine_exit_code(const Machine *machine);

/* Called by devices (board lock held): carried out by another thread soon. */
void machine_request_reset(Machine *machine);
void machine_request_power_off(Machine *machine);
void machine_set_a20(Machine *machine,
                     bool enabled); /* the gate, from i8042 and port 92h together */
bool machine_a20(const Machine *machine);

/* One vCPU's retired instructions; ids 0..n_cpus-1. */
uint64_t machine_retired(const Machine *machine, unsigned id);
unsigned machine_n_cpus(const Machine *machine);
Vcpu *machine_vcpu(Machine *machine, unsigned id);
/* What CPUs keep of writes to @ram and to windows that show it (region_let_writes_wait) arrives
 * there. Board lock not held. */
void machine_collect_writes(Machine *machine, Ram *ram);
/* A snapshot of the dirty log and its sync in one: clears Ram.dirty of @ram into @out_pages (one
 * byte a page) and returns whether any was set; afterwards memory may be read without losing an
 * update. Board lock not held. */
bool machine_take_dirty(Machine *machine, Ram *ram, uint8_t *out_pages);
/* Every device, for state and contract tests. Borrowed array of borrowed devices, NULL-terminated.
 */
Device *const *machine_devices(Machine *machine);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Machine, machine_free)
