/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The ACPI power management block of ICH9: PM1 event and control, PM timer, GPE0, SMI enables
 * (ICH9 datasheet §13.8.3). It maps nothing: the LPC bridge maps ACPI_PM_SIZE ports at PMBASE with
 * offset 0. There is no SMM: ACPI mode is always on, and APMC_EN reads 1 so that firmware does not
 * try. Included by the board and the LPC bridge. */

#include "core/dev/device.h"
#include "core/irq/irq.h"

#define ACPI_PM_SIZE 0x80
#define ACPI_PM_TIMER_HZ UINT64_C(3579545)
/* Offsets from PMBASE, for the FADT. */
enum {
    ACPI_PM1_STS = 0x00,
    ACPI_PM1_EN = 0x02,
    ACPI_PM1_CNT = 0x04,
    ACPI_PM_TMR = 0x08,
    ACPI_GPE0_STS = 0x20,
    ACPI_GPE0_EN = 0x28,
    ACPI_SMI_EN = 0x30,
    ACPI_SMI_STS = 0x34,
};
#define ACPI_GPE0_LENGTH 16
/* Sleep types the DSDT must name: \_S5 and \_S4 power off. */
#define ACPI_SLEEP_S5 0
#define ACPI_SLEEP_S4 2

typedef struct AcpiPm AcpiPm;

/* @sci: the system control interrupt, level (GSI 9). */
Device *acpi_pm_new(IrqLine sci);
/* The user pressed the power button. Board lock. */
void acpi_pm_press_power_button(AcpiPm *pm);
/* Raises general purpose event @number, 0-63. Board lock. */
void acpi_pm_raise_gpe(AcpiPm *pm, unsigned number);
