/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Direct boot of a Linux kernel, for benchmarks and tests: the kernel, its initrd and the tables
 * that firmware would have made are laid into memory and the boot CPU starts at the kernel's 32-bit
 * entry (Documentation/arch/x86/boot.rst). Included by the board. */

#include "core/cpu/cpu.h"
#include "core/firmware/acpi.h"
#include "core/firmware/smbios.h"
#include "core/memory/ram.h"

typedef struct LinuxBoot LinuxBoot;

/* @initrd_path and @command_line may be NULL. Errors name the file and what is wrong. */
LinuxBoot *linux_boot_new(const char *kernel_path, const char *initrd_path,
                          const char *command_line, uint64_t low_ram_size, uint64_t memory_bytes,
                          GError **error);
void linux_boot_free(LinuxBoot *boot);
/* Writes everything into @ram, as after each reset. */
void linux_boot_place(const LinuxBoot *boot, Ram *ram, const AcpiConfig *acpi,
                      const SmbiosConfig *smbios);
/* From the reset state to the entry's. */
void linux_boot_set_cpu(const LinuxBoot *boot, CpuState *state);
