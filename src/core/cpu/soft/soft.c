/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The software CPU as a backend: making and freeing, the whole state in and out, the dirty log. */

#include "core/cpu/soft/fp.h"
#include "core/cpu/soft/memory.h"
#include "core/cpu/soft/soft-machine.h"
#include "core/cpu/soft/translate.h"
#include <gio/gio.h>
#include <glib/gi18n.h>

static void each_cpu_new_view(SoftMachine *machine, FlatView *view, bool ports)
{
    soft_machine_exclusive_begin(machine);
    for (unsigned i = 0; i < machine->n_vcpus; i++) {
        SoftCpu *cpu = machine->vcpu[i];
        if (!cpu)
            continue;
        FlatView **slot = ports ? &cpu->port_view : &cpu->view;
        FlatView *old = *slot;
        *slot = flat_view_ref(view);
        flat_view_unref(old);
        if (!ports)
            soft_mmu_view_changed(cpu);
    }
    soft_machine_exclusive_end(machine);
}

static void on_memory_view(void *opaque, FlatView *view)
{
    each_cpu_new_view(opaque, view, false);
}

static void on_port_view(void *opaque, FlatView *view)
{
    each_cpu_new_view(opaque, view, true);
}

static void *soft_machine_new(const CpuBoard *board, unsigned n_vcpus, GError **error)
{
    g_autofree char *why = NULL;
    if (!soft_fp_host_ok(&why)) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, why);
        return NULL;
    }
    SoftMachine *machine = g_new0(SoftMachine, 1);
    machine->board = board;
    machine->n_vcpus = n_vcpus;
    cpu_gate_init(&machine->gate);
    g_mutex_init(&machine->mail_lock);
    g_rec_mutex_lock(board->lock);
    address_space_add_listener(board->memory, on_memory_view, machine);
    address_space_add_listener(board->ports, on_port_view, machine);
    g_rec_mutex_unlock(board->lock);
    return machine;
}

static void soft_machine_free(void *backend)
{
    SoftMachine *machine = backend;
    if (!machine)
        return;
    g_rec_mutex_lock(machine->board->lock);
    address_space_remove_listener(machine->board->memory, machine);
    address_space_remove_listener(machine->board->ports, machine);
    g_rec_mutex_unlock(machine->board->lock);
    cpu_gate_clear(&machine->gate);
    g_mutex_clear(&machine->mail_lock);
    g_free(machine);
}

static bool soft_limit_model(void *backend, CpuModel *model, GError **error)
{
    CpuModel all = cpu_model_software(model->n_cpus);
    cpu_model_offer_hyperv(&all);
    cpu_model_restrict(model, all.features);
    return true;
}

static bool soft_vcpu_init(Vcpu *vcpu, GError **error)
{
    SoftCpu *cpu = (SoftCpu *)vcpu;
    const CpuBoard *board = vcpu->board;
    cpu->machine = vcpu->backend;
    cpu->phys_mask = UINT64_MAX;
    cpu->delivering = -1;
    cpu->code = soft_code_cache_new(cpu);
    if (!cpu->code) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED,
                    _("Not enough memory for the code cache of virtual CPU %u"), vcpu->id);
        return false;
    }
    cpu->translator = soft_translator_new(cpu);
    g_rec_mutex_lock(board->lock);
    cpu->view = flat_view_ref(address_space_view(board->memory));
    cpu->port_view = flat_view_ref(address_space_view(board->ports));
    g_rec_mutex_unlock(board->lock);
    soft_mmu_init(cpu);
    cpu->machine->vcpu[vcpu->id] = cpu;
    cpu->machine->gate.vcpu[vcpu->id] = vcpu;
    return true;
}

static void soft_vcpu_clear(Vcpu *vcpu)
{
    SoftCpu *cpu = (SoftCpu *)vcpu;
    if (cpu->machine) {
        cpu->machine->vcpu[vcpu->id] = NULL;
        cpu->machine->gate.vcpu[vcpu->id] = NULL;
    }
    soft_code_cache_free(cpu);
    soft_translator_free(cpu);
    if (cpu->mmu)
        soft_mmu_clear(cpu);
    g_clear_pointer(&cpu->view, flat_view_unref);
    g_clear_pointer(&cpu->port_view, flat_view_unref);
}

static void soft_kick(Vcpu *vcpu)
{
    soft_request_attention((SoftCpu *)vcpu);
}

static void soft_sync_dirty(void *backend)
{
    SoftMachine *machine = backend;
    soft_machine_exclusive_begin(machine);
    for (unsigned i = 0; i < machine->n_vcpus; i++)
        if (machine->vcpu[i])
            soft_mmu_protect_logged(machine->vcpu[i]);
    soft_machine_exclusive_end(machine);
}

void soft_ram_code_written(void *backend, Ram *ram, uint64_t offset, uint64_t length)
{
    SoftMachine *machine = backend;
    for (uint64_t page = offset >> RAM_PAGE_SHIFT; page <= (offset + length - 1) >> RAM_PAGE_SHIFT;
         page++)
        if (__atomic_load_n(&ram->code[page], __ATOMIC_SEQ_CST))
            soft_machine_post_code_written(
                machine, NULL, (uintptr_t)ram->host + (page << RAM_PAGE_SHIFT), ~UINT64_C(0));
}

static CpuSegment segment_out(const SoftSegment *seg)
{
    return (CpuSegment){ seg->base, seg->limit, seg->selector, seg->attributes };
}

static SoftSegment segment_in(const CpuSegment *seg)
{
    return (SoftSegment){ .base = seg->base,
                          .limit = seg->limit,
                          .selector = seg->selector,
                          .attributes = seg->attributes };
}

/* The legacy area of XSAVE (SDM vol. 1 table 10-2). */
static void fpu_out(const SoftCpu *cpu, uint8_t *area)
{
    uint16_t status = (uint16_t)((cpu->fpu.status & ~0x3800) | cpu->fpu.top << 11);
    memset(area, 0, 576);
    memcpy(area + 0, &cpu->fpu.control, 2);
    memcpy(area + 2, &status, 2);
    area[4] = cpu->fpu.tag;
    memcpy(area + 6, &cpu->fpu.opcode, 2);
    memcpy(area + 8, &cpu->fpu.instruction, 8);
    memcpy(area + 16, &cpu->fpu.data, 8);
    memcpy(area + 24, &cpu->mxcsr, 4);
    const uint32_t mxcsr_mask = 0xFFFF;
    memcpy(area + 28, &mxcsr_mask, 4);
    for (unsigned i = 0; i < 8; i++)
        memcpy(area + 32 + 16 * i, &cpu->fpu.fpr[(cpu->fpu.top + i) & 7], 10);
    for (unsigned i = 0; i < 16; i++)
        memcpy(area + 160 + 16 * i, &cpu->xmm[i], 16);
    area[512] = 3; /* XSTATE_BV: x87 and SSE */
}

static void fpu_in(SoftCpu *cpu, const uint8_t *area)
{
    uint16_t status;
    cpu->fpu.code_selector = cpu->fpu.data_selector = 0; /* the 64-bit form has none */
    memcpy(&cpu->fpu.control, area + 0, 2);
    memcpy(&status, area + 2, 2);
    cpu->fpu.status = status & ~0x3800;
    cpu->fpu.top = (status >> 11) & 7;
    cpu->fpu.tag = area[4];
    memcpy(&cpu->fpu.opcode, area + 6, 2);
    memcpy(&cpu->fpu.instruction, area + 8, 8);
    memcpy(&cpu->fpu.data, area + 16, 8);
    memcpy(&cpu->mxcsr, area + 24, 4);
    cpu->mxcsr &= 0xFFFF;
    for (unsigned i = 0; i < 8; i++)
        memcpy(&cpu->fpu.fpr[(cpu->fpu.top + i) & 7], area + 32 + 16 * i, 10);
    for (unsigned i = 0; i < 16; i++)
        memcpy(&cpu->xmm[i], area + 160 + 16 * i, 16);
}

void soft_get_state(Vcpu *vcpu, CpuState *state)
{
    SoftCpu *cpu = (SoftCpu *)vcpu;
    memset(state, 0, sizeof *state);
    memcpy(state->gpr, cpu->gpr, sizeof state->gpr);
    state->rip = cpu->rip;
    state->rflags = soft_get_rflags(cpu);
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++) {
        state->segment[i] = segment_out(&cpu->seg[i]);
        state->segment[i].base |= cpu->held_base[i];
    }
    state->ldt = segment_out(&cpu->ldt);
    state->task = segment_out(&cpu->task);
    state->gdt.base = cpu->gdt_base;
    state->gdt.limit = cpu->gdt_limit;
    state->idt.base = cpu->idt_base;
    state->idt.limit = cpu->idt_limit;
    state->cr0 = cpu->cr0;
    state->cr2 = cpu->cr2;
    state->cr3 = cpu->cr3;
    state->cr4 = cpu->cr4;
    state->efer = cpu->efer;
    memcpy(state->dr, cpu->dr, sizeof state->dr);
    state->xcr0 = cpu->xcr0;
    fpu_out(cpu, state->xsave);
    state->msr.star = cpu->star;
    state->msr.lstar = cpu->lstar;
    state->msr.cstar = cpu->cstar;
    state->msr.sfmask = cpu->sfmask;
    state->msr.kernel_gs_base = cpu->kernel_gs_base;
    state->msr.tsc_aux = cpu->tsc_aux;
    state->msr.pat = cpu->pat;
    state->msr.sysenter_cs = cpu->sysenter_cs;
    state->msr.sysenter_esp = cpu->sysenter_esp;
    state->msr.sysenter_eip = cpu->sysenter_eip;
    state->msr.misc_enable = cpu->misc_enable;
    state->msr.debugctl = cpu->debugctl;
    state->msr.mtrr_def_type = cpu->mtrr_def_type;
    memcpy(state->msr.mtrr_fixed, cpu->mtrr_fixed, sizeof cpu->mtrr_fixed);
    memcpy(state->msr.mtrr_base, cpu->mtrr_base, sizeof cpu->mtrr_base);
    memcpy(state->msr.mtrr_mask, cpu->mtrr_mask, sizeof cpu->mtrr_mask);
    state->msr.spec_ctrl = cpu->spec_ctrl;
    state->tsc_offset = cpu->tsc_offset;
    state->tsc_adjust = cpu->tsc_adjust;
    state->halted = cpu->halted;
    state->wait_sipi = cpu->wait_sipi;
    state->interrupt_shadow = cpu->shadow;
    state->nmi_blocked = cpu->nmi_blocked;
    state->nmi_pending = __atomic_load_n(&vcpu->signals, __ATOMIC_SEQ_CST) & VCPU_SIGNAL_NMI;
    state->event = cpu->event;
}

void soft_set_state(Vcpu *vcpu, const CpuState *state)
{
    SoftCpu *cpu = (SoftCpu *)vcpu;
    memcpy(cpu->gpr, state->gpr, sizeof state->gpr);
    cpu->zero = 0;
    cpu->rip = state->rip;
    soft_set_arithmetic(cpu, state->rflags);
    cpu->rflags = (state->rflags & ~(uint64_t)RFLAGS_ARITHMETIC) | 2;
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
        cpu->seg[i] = segment_in(&state->segment[i]);
    memset(cpu->held_base, 0, sizeof cpu->held_base);
    cpu->ldt = segment_in(&state->ldt);
    cpu->task = segment_in(&state->task);
    cpu->gdt_base = state->gdt.base;
    cpu->gdt_limit = state->gdt.limit;
    cpu->idt_base = state->idt.base;
    cpu->idt_limit = state->idt.limit;
    cpu->cr0 = state->cr0;
    cpu->cr2 = state->cr2;
    cpu->cr3 = state->cr3;
    cpu->cr4 = state->cr4;
    cpu->efer = state->efer;
    memcpy(cpu->dr, state->dr, sizeof state->dr);
    cpu->xcr0 = state->xcr0;
    fpu_in(cpu, state->xsave);
    cpu->star = state->msr.star;
    cpu->lstar = state->msr.lstar;
    cpu->cstar = state->msr.cstar;
    cpu->sfmask = state->msr.sfmask;
    cpu->kernel_gs_base = state->msr.kernel_gs_base;
    cpu->tsc_aux = state->msr.tsc_aux;
    cpu->pat = state->msr.pat;
    cpu->sysenter_cs = state->msr.sysenter_cs;
    cpu->sysenter_esp = state->msr.sysenter_esp;
    cpu->sysenter_eip = state->msr.sysenter_eip;
    cpu->misc_enable = state->msr.misc_enable;
    cpu->debugctl = state->msr.debugctl;
    cpu->mtrr_def_type = state->msr.mtrr_def_type;
    memcpy(cpu->mtrr_fixed, state->msr.mtrr_fixed, sizeof cpu->mtrr_fixed);
    memcpy(cpu->mtrr_base, state->msr.mtrr_base, sizeof cpu->mtrr_base);
    memcpy(cpu->mtrr_mask, state->msr.mtrr_mask, sizeof cpu->mtrr_mask);
    cpu->spec_ctrl = state->msr.spec_ctrl;
    cpu->tsc_offset = state->tsc_offset;
    cpu->tsc_adjust = state->tsc_adjust;
    cpu->halted = state->halted;
    cpu->wait_sipi = state->wait_sipi;
    cpu->shadow = state->interrupt_shadow;
    cpu->nmi_blocked = state->nmi_blocked;
    cpu->event = state->event;
    if (state->nmi_pending)
        __atomic_fetch_or(&vcpu->signals, VCPU_SIGNAL_NMI, __ATOMIC_SEQ_CST);
    cpu->delivering = -1;
    cpu->op = NULL;
    cpu->cpl = !(cpu->cr0 & CR0_PE)      ? 0
               : cpu->rflags & RFLAGS_VM ? 3
                                         : (cpu->seg[CPU_SS].attributes >> 5) & 3;
    cpu->mode = 0;
    soft_tlb_flush(cpu, false);
    soft_update_mode(cpu);
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++)
        soft_segment_cache(cpu, i);
    soft_request_attention(cpu);
}

const CpuOps cpu_soft_ops = {
    .name = "software",
    .machine_new = soft_machine_new,
    .machine_free = soft_machine_free,
    .limit_model = soft_limit_model,
    .vcpu_size = sizeof(SoftCpu),
    .vcpu_init = soft_vcpu_init,
    .vcpu_clear = soft_vcpu_clear,
    .run = soft_run,
    .step = soft_step,
    .kick = soft_kick,
    .get_state = soft_get_state,
    .set_state = soft_set_state,
    .retired = soft_retired,
    .sync_dirty = soft_sync_dirty,
    .code_written = soft_ram_code_written,
};
