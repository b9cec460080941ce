/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The paravirtual registers as a device: who answers which MSR, and what travels. */

#include "core/cpu/paravirt-private.h"

/* Power-on of a TSC in its own ticks: when the machine's clock was 0. */
uint64_t paravirt_zero(const Paravirt *pv, ParavirtTsc tsc)
{
    return tsc.offset - __atomic_load_n(&pv->lead, __ATOMIC_RELAXED);
}

bool paravirt_has_msr(const CpuModel *model, uint32_t msr)
{
    return pv_clock_has_msr(model, msr) || hyperv_has_msr(model, msr);
}

bool paravirt_read_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                       uint64_t *out_value)
{
    bool good = false;

    if (!board->paravirt)
        return false;
    g_rec_mutex_lock(board->lock);
    if (pv_clock_has_msr(&board->model, msr))
        good = pv_clock_read_msr(board, id, msr, out_value);
    else if (hyperv_has_msr(&board->model, msr))
        good = hyperv_read_msr(board, id, msr, tsc, out_value);
    g_rec_mutex_unlock(board->lock);
    return good;
}

bool paravirt_write_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                        uint64_t value)
{
    bool good = false;

    if (!board->paravirt)
        return false;
    g_rec_mutex_lock(board->lock);
    if (pv_clock_has_msr(&board->model, msr))
        good = pv_clock_write_msr(board, id, msr, tsc, value);
    else if (hyperv_has_msr(&board->model, msr))
        good = hyperv_write_msr(board, id, msr, tsc, value);
    g_rec_mutex_unlock(board->lock);
    return good;
}

int64_t paravirt_call(const CpuBoard *board, ParavirtTsc tsc, uint64_t number, uint64_t a0,
                      uint64_t a1)
{
    int64_t answer = KVM_NOT_IMPLEMENTED;

    if (!board->paravirt || number != KVM_CALL_CLOCK_PAIRING)
        return answer;
    g_rec_mutex_lock(board->lock);
    answer = pv_clock_pair(board, tsc, a0, a1);
    g_rec_mutex_unlock(board->lock);
    return answer;
}

void paravirt_set_tsc(const CpuBoard *board, unsigned id, ParavirtTsc tsc)
{
    if (!board->paravirt)
        return;
    g_rec_mutex_lock(board->lock);
    pv_clock_set_tsc(board, id, tsc);
    hyperv_set_tsc(board, id, tsc);
    g_rec_mutex_unlock(board->lock);
}

void paravirt_add_lead(const CpuBoard *board, uint64_t ticks)
{
    if (board->paravirt)
        __atomic_fetch_add(&board->paravirt->lead, ticks, __ATOMIC_RELAXED);
}

static const StateField clock_state[] = {
    STATE_UINT(PvClockPage, msr),
    STATE_UINT(PvClockPage, zero),
    STATE_UINT(PvClockPage, version),
    STATE_END,
};

static const StateField overlay_state[] = {
    STATE_UINT(HypervOverlay, msr),
    STATE_BYTES(HypervOverlay, beneath),
    STATE_END,
};

static const StateField hyperv_state[] = {
    STATE_UINT(HypervState, guest_os_id),
    STATE_STRUCT(HypervState, call, overlay_state),
    STATE_STRUCT(HypervState, reference, overlay_state),
    STATE_UINT(HypervState, zero),
    STATE_UINT_MAX(HypervState, reference_cpu, PARAVIRT_MAX_CPUS - 1),
    STATE_UINT(HypervState, sequence),
    STATE_END,
};

static const StateField paravirt_state[] = {
    STATE_UINT(Paravirt, lead),
    STATE_UINT(Paravirt, wall_clock),
    STATE_STRUCTS(Paravirt, clock, clock_state),
    STATE_STRUCT(Paravirt, hyperv, hyperv_state),
    STATE_END,
};

static void paravirt_reset(Device *dev)
{
    Paravirt *pv = (Paravirt *)dev;

    pv->lead = pv->wall_clock = 0;
    memset(pv->clock, 0, sizeof pv->clock);
    memset(&pv->hyperv, 0, sizeof pv->hyperv);
}

static const DeviceOps paravirt_ops = {
    .name = "paravirt",
    .instance_size = sizeof(Paravirt),
    .state = paravirt_state,
    .min_access = 1,
    .max_access = 8,
    .reset = paravirt_reset,
};

Device *paravirt_new(int64_t base_seconds)
{
    Paravirt *pv = device_alloc(&paravirt_ops, "paravirt");

    pv->base_seconds = base_seconds;
    return &pv->dev;
}
