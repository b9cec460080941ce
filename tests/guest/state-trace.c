/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "state-trace.h"
#include <errno.h>
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

/* A timer on the machine's clock fires in the vCPU's thread between two instructions, and asks it
 * to stop there; its state is whole only when run() has returned. */
static struct {
    CpuOps ops;
    Machine *machine; /* borrowed */
    ClockTimer timer;
    FILE *file; /* owned */
    uint64_t every, plant_at;
    bool due;
} trace;

/* Four lanes, so that it goes as fast as memory does. */
static uint64_t hash(const void *bytes, size_t length)
{
    const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15);
    uint64_t lane[4] = { 1, 2, 3, 4 };
    const uint8_t *at = bytes;
    for (; length >= sizeof lane; at += sizeof lane, length -= sizeof lane) {
        uint64_t word[4];
        memcpy(word, at, sizeof word);
        for (unsigned i = 0; i < 4; i++)
            lane[i] = ((lane[i] ^ word[i]) * odd) ^ (lane[i] >> 29);
    }
    for (size_t i = 0; i < length; i++)
        lane[i % 4] = (lane[i % 4] ^ at[i]) * odd;
    return lane[0] ^ lane[1] >> 7 ^ lane[2] >> 15 ^ lane[3] << 9 ^ lane[3];
}

static void print(const char *name, uint64_t value)
{
    fprintf(trace.file, " %s=%" G_GINT64_MODIFIER "x", name, value);
}

static void write_state(Vcpu *vcpu)
{
    static const char *const gpr[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                       "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };
    static const char *const segment[] = { "es", "cs", "ss", "ds", "fs", "gs" };
    CpuState state;
    vcpu->ops->get_state(vcpu, &state);
    fprintf(trace.file, "retired=%" G_GUINT64_FORMAT " time=%" G_GUINT64_FORMAT,
            vcpu->ops->retired(vcpu), clock_now_ns(trace.machine->clock));
    print("rip", state.rip);
    for (unsigned i = 0; i < 16; i++)
        print(gpr[i], state.gpr[i]);
    print("rflags", state.rflags);
    for (unsigned i = 0; i < CPU_N_SEGMENTS; i++) {
        g_autofree char *base = g_strconcat(segment[i], ".base", NULL);
        print(segment[i], state.segment[i].selector);
        print(base, state.segment[i].base);
    }
    print("cr0", state.cr0);
    print("cr2", state.cr2);
    print("cr3", state.cr3);
    print("cr4", state.cr4);
    print("efer", state.efer);
    print("dr6", state.dr[6]);
    print("dr7", state.dr[7]);
    print("halted", state.halted);
    print("fpu-hash", hash(state.xsave, sizeof state.xsave));
    print("msr-hash", hash(&state.msr, sizeof state.msr));
    print("ram-hash", hash(trace.machine->ram->host, trace.machine->ram->size));
    fputc('\n', trace.file);
    if (trace.plant_at && clock_now_ns(trace.machine->clock) >= trace.plant_at) {
        state.gpr[2] ^= 1u << 4;
        vcpu->ops->set_state(vcpu, &state);
        trace.plant_at = 0;
    }
}

static void on_time(void *opaque)
{
    Vcpu *vcpu = opaque;
    trace.due = true;
    clock_timer_set(&trace.timer, clock_now_ns(trace.machine->clock) + trace.every);
    vcpu_signal(vcpu, VCPU_SIGNAL_STOP);
}

/* A stop of ours is as good as another: the machine runs the vCPU again unless it wanted it too. */
static CpuExit traced_run(Vcpu *vcpu)
{
    CpuExit exit = cpu_soft_ops.run(vcpu);
    if (trace.due && exit == CPU_EXIT_STOPPED) {
        trace.due = false;
        write_state(vcpu);
    }
    return exit;
}

const CpuOps *state_trace_ops(void)
{
    trace.ops = cpu_soft_ops;
    trace.ops.run = traced_run;
    return &trace.ops;
}

bool state_trace_attach(Machine *machine, const char *path, uint64_t at, uint64_t every,
                        GError **error)
{
    trace.machine = machine;
    trace.every = every;
    trace.file = fopen(path, "w");
    if (!trace.file) {
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno), "%s: %s", path,
                    g_strerror(errno));
        return false;
    }
    g_rec_mutex_lock(&machine->lock);
    clock_timer_init(&trace.timer, machine->clock, on_time, machine_vcpu(machine, 0));
    clock_timer_set(&trace.timer, at);
    g_rec_mutex_unlock(&machine->lock);
    return true;
}

void state_trace_plant(uint64_t at)
{
    trace.plant_at = at;
}

void state_trace_detach(void)
{
    if (!trace.file)
        return;
    g_rec_mutex_lock(&trace.machine->lock);
    clock_timer_cancel(&trace.timer);
    g_rec_mutex_unlock(&trace.machine->lock);
    fclose(trace.file);
    trace.file = NULL;
}
