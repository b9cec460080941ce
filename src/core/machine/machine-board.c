/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/machine-private.h"

/* The board as the CPUs see it. */

/* The local APIC decides; only it knows whether the PIC is to be asked. */
static int board_acknowledge(void *opaque, unsigned id)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    int vector = lapic_acknowledge(machine->priv->lapics, id);
    if (vector == -2)
        vector = pic_acknowledge(machine->priv->pic);
    lost_ticks_on_acknowledge(&machine->priv->ticks, vector);
    g_rec_mutex_unlock(&machine->lock);
    return vector;
}

static bool board_pending(void *opaque, unsigned id)
{
    return lapic_pending(((Machine *)opaque)->priv->lapics, id);
}

static bool board_read_msr(void *opaque, unsigned id, uint32_t msr, uint64_t *out_value)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    bool good = lapic_read_msr(machine->priv->lapics, id, msr, out_value);
    g_rec_mutex_unlock(&machine->lock);
    return good;
}

static bool board_write_msr(void *opaque, unsigned id, uint32_t msr, uint64_t value)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    bool good = lapic_write_msr(machine->priv->lapics, id, msr, value);
    g_rec_mutex_unlock(&machine->lock);
    return good;
}

static uint8_t board_get_cr8(void *opaque, unsigned id)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    uint8_t value = lapic_get_cr8(machine->priv->lapics, id);
    g_rec_mutex_unlock(&machine->lock);
    return value;
}

static void board_set_cr8(void *opaque, unsigned id, uint8_t value)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_set_cr8(machine->priv->lapics, id, value);
    g_rec_mutex_unlock(&machine->lock);
}

static uint64_t board_apic_page(void *opaque, unsigned id)
{
    return lapic_page(((Machine *)opaque)->priv->lapics, id);
}

static uint64_t board_apic_read(void *opaque, unsigned id, uint64_t offset, unsigned size)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    uint64_t value = lapic_read(machine->priv->lapics, id, offset, size);
    g_rec_mutex_unlock(&machine->lock);
    return value;
}

static void board_apic_write(void *opaque, unsigned id, uint64_t offset, unsigned size,
                             uint64_t value)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_write(machine->priv->lapics, id, offset, size, value);
    g_rec_mutex_unlock(&machine->lock);
}

static void board_apic_keep(void *opaque, void (*send)(void *backend, const ApicMessage *message),
                            void *backend)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_bus_set_keeper(machine->priv->lapics, send, backend);
    g_rec_mutex_unlock(&machine->lock);
}

static void board_apic_get(void *opaque, unsigned id, CpuApic *out_apic)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_get(machine->priv->lapics, id, out_apic);
    g_rec_mutex_unlock(&machine->lock);
}

static void board_apic_set(void *opaque, unsigned id, const CpuApic *apic)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lapic_set(machine->priv->lapics, id, apic);
    g_rec_mutex_unlock(&machine->lock);
}

static void board_apic_eoi(void *opaque, uint8_t vector)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    ioapic_on_eoi(machine->priv->ioapic, vector);
    g_rec_mutex_unlock(&machine->lock);
}

static bool board_a20(void *opaque)
{
    return machine_a20(opaque);
}

static void board_x87_error(void *opaque, unsigned id)
{
    Machine *machine = opaque;

    g_rec_mutex_lock(&machine->lock);
    lpc_raise_x87_error(machine->priv->lpc);
    g_rec_mutex_unlock(&machine->lock);
}

void machine_board_init(Machine *machine)
{
    MachinePrivate *p = machine->priv;

    p->board = (CpuBoard){
        .opaque = machine,
        .lock = &machine->lock,
        .memory = machine->memory,
        .ports = machine->ports,
        .clock = machine->clock,
        .model = cpu_model_software(p->config.n_cpus),
        .paravirt = p->paravirt,
        .acknowledge = board_acknowledge,
        .pending = board_pending,
        .apic_read_msr = board_read_msr,
        .apic_write_msr = board_write_msr,
        .get_cr8 = board_get_cr8,
        .set_cr8 = board_set_cr8,
        .apic_page = board_apic_page,
        .apic_read = board_apic_read,
        .apic_write = board_apic_write,
        .apic_keep = board_apic_keep,
        .apic_get = board_apic_get,
        .apic_set = board_apic_set,
        .apic_eoi = board_apic_eoi,
        .a20 = board_a20,
        .x87_error = board_x87_error,
    };
}
