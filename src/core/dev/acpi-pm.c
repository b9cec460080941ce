/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/acpi-pm.h"

#include "core/machine/machine.h"

enum {
    PM1_TIMER = 1 << 0,
    PM1_GLOBAL = 1 << 5,
    PM1_POWER_BUTTON = 1 << 8,
    PM1_SLEEP_BUTTON = 1 << 9,
    PM1_RTC = 1 << 10,
    PM1_WAKE = 1 << 15,
    PM1_STS_CLEARABLE =
        PM1_TIMER | 1 << 4 | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC | PM1_WAKE,
    PM1_EN_WRITABLE = PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_SLEEP_BUTTON | PM1_RTC,
    PM1_CNT_SCI_ENABLED = 1 << 0,
    PM1_CNT_WRITABLE = 0x1C02, /* SLP_TYP and BM_RLD; SCI_EN is stuck at 1, SLP_EN reads 0 */
    PM1_CNT_SLEEP = 1 << 13,
};
enum { SMI_EN_APMC = 1 << 5 };
#define TIMER_MASK 0xFFFFFFu
#define TIMER_HALF (UINT64_C(1) << 23) /* TMR_STS is set each time bit 23 changes */

struct AcpiPm {
    Device dev;
    /* wiring */
    IrqLine sci;
    Clock *clock;
    ClockTimer timer;
    /* guest state */
    uint16_t pm1_sts, pm1_en, pm1_cnt;
    uint8_t gpe_sts[8], gpe_en[8];
    uint32_t smi_en;
    uint64_t overflow_ns; /* when bit 23 of the timer changes next */
};

static const StateField acpi_pm_state[] = {
    STATE_UINT(AcpiPm, pm1_sts),     STATE_UINT(AcpiPm, pm1_en),
    STATE_UINT(AcpiPm, pm1_cnt),     STATE_BYTES(AcpiPm, gpe_sts),
    STATE_BYTES(AcpiPm, gpe_en),     STATE_UINT(AcpiPm, smi_en),
    STATE_UINT(AcpiPm, overflow_ns), STATE_END,
};

static void acpi_pm_update(Device *dev)
{
    AcpiPm *pm = (AcpiPm *)dev;
    bool is_asserted = pm->pm1_sts & pm->pm1_en;

    for (unsigned i = 0; i < sizeof(pm->gpe_sts); i++)
        is_asserted |= (pm->gpe_sts[i] & pm->gpe_en[i]) != 0;
    irq_set(&pm->sci, is_asserted);
    /* Nobody listens or it is set already: no wake-up. */
    bool is_wanted = (pm->pm1_en & PM1_TIMER) && !(pm->pm1_sts & PM1_TIMER);
    clock_timer_set(&pm->timer, is_wanted ? pm->overflow_ns : CLOCK_NEVER);
}

static void acpi_pm_catch_up(AcpiPm *pm)
{
    uint64_t now = clock_now_ns(pm->clock);

    if (now < pm->overflow_ns)
        return;
    pm->pm1_sts |= PM1_TIMER;
    uint64_t ticks = clock_ns_to_ticks(now, ACPI_PM_TIMER_HZ);
    pm->overflow_ns = clock_ticks_to_ns((ticks / TIMER_HALF + 1) * TIMER_HALF, ACPI_PM_TIMER_HZ);
}

static void on_acpi_pm_timer(void *opaque)
{
    AcpiPm *pm = opaque;

    acpi_pm_catch_up(pm);
    acpi_pm_update(&pm->dev);
}

void acpi_pm_press_power_button(AcpiPm *pm)
{
    pm->pm1_sts |= PM1_POWER_BUTTON;
    acpi_pm_update(&pm->dev);
}

void acpi_pm_raise_gpe(AcpiPm *pm, unsigned number)
{
    g_return_if_fail(number < 8 * sizeof(pm->gpe_sts));
    pm->gpe_sts[number / 8] |= 1 << number % 8;
    acpi_pm_update(&pm->dev);
}

static uint32_t acpi_pm_timer(const AcpiPm *pm)
{
    return clock_ns_to_ticks(clock_now_ns(pm->clock), ACPI_PM_TIMER_HZ) & TIMER_MASK;
}

static bool acpi_pm_read_lockless(Device *dev, uint64_t offset, unsigned size, uint64_t *out_value)
{
    if (offset != ACPI_PM_TMR || size != 4)
        return false;
    *out_value = acpi_pm_timer((AcpiPm *)dev);
    return true;
}

static uint8_t acpi_pm_read_byte(AcpiPm *pm, uint64_t offset)
{
    if (offset >= ACPI_GPE0_STS && offset < ACPI_GPE0_STS + sizeof(pm->gpe_sts))
        return pm->gpe_sts[offset - ACPI_GPE0_STS];
    if (offset >= ACPI_GPE0_EN && offset < ACPI_GPE0_EN + sizeof(pm->gpe_en))
        return pm->gpe_en[offset - ACPI_GPE0_EN];

    unsigned shift = 8 * (offset & 1), shift32 = 8 * (offset & 3);
    switch (offset & ~UINT64_C(3)) {
    case ACPI_PM1_STS: return (offset & 2 ? pm->pm1_en : pm->pm1_sts) >> shift;
    case ACPI_PM1_CNT: return offset & 2 ? 0 : pm->pm1_cnt >> shift;
    case ACPI_PM_TMR: return acpi_pm_timer(pm) >> shift32;
    case ACPI_SMI_EN: return pm->smi_en >> shift32;
    default: return 0;
    }
}

/* Bytes one by one: guests use every width here, and every register is plain bytes. */
static uint64_t acpi_pm_read(Device *dev, uint64_t offset, unsigned size)
{
    AcpiPm *pm = (AcpiPm *)dev;
    uint64_t value = 0;

    acpi_pm_catch_up(pm);
    if (offset == ACPI_PM_TMR && size == 4)
        return acpi_pm_timer(pm);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)acpi_pm_read_byte(pm, offset + i) << 8 * i;
    return value;
}

static void acpi_pm_sleep(AcpiPm *pm)
{
    unsigned type = pm->pm1_cnt >> 10 & 7;

    /* Hibernation is a power-off to the hardware. */
    if (type == ACPI_SLEEP_S5 || type == ACPI_SLEEP_S4)
        machine_request_power_off(pm->dev.machine);
    else
        guest_warn(&pm->dev, "sleep type %u is not offered", type);
}

static void acpi_pm_write_byte(AcpiPm *pm, uint64_t offset, uint8_t value)
{
    if (offset >= ACPI_GPE0_STS && offset < ACPI_GPE0_STS + sizeof(pm->gpe_sts)) {
        pm->gpe_sts[offset - ACPI_GPE0_STS] &= ~value;
        return;
    }
    if (offset >= ACPI_GPE0_EN && offset < ACPI_GPE0_EN + sizeof(pm->gpe_en)) {
        pm->gpe_en[offset - ACPI_GPE0_EN] = value;
        return;
    }

    uint16_t byte = (uint16_t)(value << 8 * (offset & 1)), lane = 0xFF << 8 * (offset & 1);
    uint32_t shift32 = 8 * (offset & 3);
    switch (offset & ~UINT64_C(1)) {
    case ACPI_PM1_STS: pm->pm1_sts &= ~(byte & PM1_STS_CLEARABLE); break;
    case ACPI_PM1_EN: pm->pm1_en = (pm->pm1_en & ~lane) | (byte & PM1_EN_WRITABLE); break;
    case ACPI_PM1_CNT:
        pm->pm1_cnt = (pm->pm1_cnt & ~lane) | (byte & PM1_CNT_WRITABLE) | PM1_CNT_SCI_ENABLED;
        if (byte & PM1_CNT_SLEEP)
            acpi_pm_sleep(pm);
        break;
    case ACPI_SMI_EN:
    case ACPI_SMI_EN + 2:
        pm->smi_en = (pm->smi_en & ~(UINT32_C(0xFF) << shift32)) | (uint32_t)value << shift32;
        break;
    default: break;
    }
}

static void acpi_pm_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    AcpiPm *pm = (AcpiPm *)dev;

    acpi_pm_catch_up(pm);
    for (unsigned i = 0; i < size; i++)
        acpi_pm_write_byte(pm, offset + i, (uint8_t)(value >> 8 * i));
    acpi_pm_update(dev);
}

static void acpi_pm_reset(Device *dev)
{
    AcpiPm *pm = (AcpiPm *)dev;

    *pm = (AcpiPm){
        .dev = pm->dev,
        .sci = pm->sci,
        .clock = pm->clock,
        .timer = pm->timer,
        .pm1_cnt = PM1_CNT_SCI_ENABLED,
        .smi_en = SMI_EN_APMC,
    };
    acpi_pm_catch_up(pm);
    pm->pm1_sts = 0;
}

static bool acpi_pm_realize(Device *dev, Machine *machine, GError **error)
{
    AcpiPm *pm = (AcpiPm *)dev;

    pm->clock = machine->clock;
    clock_timer_init(&pm->timer, machine->clock, on_acpi_pm_timer, pm);
    return true;
}

static void acpi_pm_unrealize(Device *dev)
{
    clock_timer_cancel(&((AcpiPm *)dev)->timer);
}

static const DeviceOps acpi_pm_ops = {
    .name = "acpi-pm",
    .instance_size = sizeof(AcpiPm),
    .state_version = 1,
    .state = acpi_pm_state,
    .min_access = 1,
    .max_access = 4,
    .realize = acpi_pm_realize,
    .unrealize = acpi_pm_unrealize,
    .reset = acpi_pm_reset,
    .update = acpi_pm_update,
    .read = acpi_pm_read,
    .write = acpi_pm_write,
    .read_lockless = acpi_pm_read_lockless,
};

Device *acpi_pm_new(IrqLine sci)
{
    AcpiPm *pm = device_alloc(&acpi_pm_ops, "acpi-pm");

    pm->sci = sci;
    return &pm->dev;
}
