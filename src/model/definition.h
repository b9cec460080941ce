/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A machine's definition: machine.conf in its bundle, a key file that people read and edit. The
 * schema (definition.c) says for every key its type, default and range; what does not fit is
 * refused with file, group, key and what was expected. Keys that it does not know are kept.
 * Included by the engine and by all front ends. Not thread-safe; copy by loading again. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DEFINITION_MAX_DRIVES 6
#define DEFINITION_MAX_CPUS 16

typedef enum { FIRMWARE_BIOS, FIRMWARE_UEFI } DefinitionFirmware;
typedef enum { CPU_CHOICE_AUTO, CPU_CHOICE_KVM, CPU_CHOICE_SOFTWARE } DefinitionCpu;
typedef enum {
    CPU_MODEL_CHOICE_AUTO,
    CPU_MODEL_CHOICE_V1,
    CPU_MODEL_CHOICE_V2,
    CPU_MODEL_CHOICE_V3,
    CPU_MODEL_CHOICE_HOST
} DefinitionCpuModel;
/* Hyper-V's interface for guests; auto: for Windows, where the CPU can have it. */
typedef enum { HYPERV_CHOICE_AUTO, HYPERV_CHOICE_ON, HYPERV_CHOICE_OFF } DefinitionHyperv;
typedef enum { BOOT_CDROM_DISK, BOOT_DISK_CDROM } DefinitionBoot;
typedef enum { CLOCK_CHOICE_REAL, CLOCK_CHOICE_DETERMINISTIC } DefinitionClock;
typedef enum { DRIVE_NONE, DRIVE_DISK, DRIVE_CDROM } DefinitionDriveType;
typedef enum { INTERFACE_AHCI, INTERFACE_VIRTIO } DefinitionInterface;

typedef struct {
    int type;   /* DefinitionDriveType; none: no such group */
    char *path; /* absolute, or relative to the bundle; empty: no disc */
    bool read_only;
    int interface; /* DefinitionInterface: what a disk is connected to; discs are always at AHCI */
} DefinitionDrive;

typedef struct {
    /* [machine] */
    char *name;
    char *uuid; /* 36 characters, lower case */
    char *os;   /* libosinfo short id, or empty */
    uint64_t memory_bytes;
    uint64_t n_cpus;
    int cpu;       /* DefinitionCpu */
    int cpu_model; /* DefinitionCpuModel */
    int hyperv;    /* DefinitionHyperv */
    int firmware;  /* DefinitionFirmware */
    int boot;      /* DefinitionBoot */
    bool boot_menu;
    int clock;      /* DefinitionClock */
    bool thumbnail; /* whether its screen is shown in the library */
    /* [drive-0] … [drive-5] */
    DefinitionDrive drive[DEFINITION_MAX_DRIVES];
    /* [linux]: boot a kernel without firmware's help; empty strings: no */
    char *kernel, *initrd, *command_line;

    GKeyFile *file; /* owned; what was read, so that the rest of it is kept */
} Definition;

/* A definition of a machine @name with a new UUID and otherwise defaults; no drives. */
Definition *definition_new(const char *name);
void definition_free(Definition *definition);

/* @origin: the file's name for messages. */
Definition *definition_parse(const char *text, gssize length, const char *origin, GError **error);
Definition *definition_load(const char *path, GError **error);
/* The text of machine.conf: known keys by the struct, unknown ones as they were. */
char *definition_to_text(Definition *definition);
bool definition_save(Definition *definition, const char *path, GError **error);

/* Sets one key by its written form: "memory" (of [machine]) or "drive-1.path". The struct is
 * unchanged on failure. */
bool definition_set(Definition *definition, const char *key, const char *value, GError **error);
/* Whether this version has what @definition asks for; @where (the file) begins the words. */
bool definition_check_runs(const Definition *definition, const char *where, GError **error);
/* Every key that the schema knows with its value now, as definition_set() would take it; drives
 * only where there is one. A new table of strings in file order: key, value, key, value, NULL. */
char **definition_dup_values(const Definition *definition);
/* One of them; NULL for an unknown key, and for one of a drive that is not there. */
char *definition_dup_value(const Definition *definition, const char *key);

/* The first drive of @type, or -1. */
int definition_find_drive(const Definition *definition, DefinitionDriveType type);
/* A free drive slot, or -1. */
int definition_free_drive(const Definition *definition);

/* "2G", "512M", "1.5GiB", "20 GB" (units are powers of 1024), plain bytes. */
bool size_parse(const char *text, uint64_t *out_bytes);
/* The shortest exact written form: 2G, 1536M, 1000. */
char *size_format(uint64_t bytes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Definition, definition_free)
