/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* CPUID on KVM: the machine's model, in the kernel's form. What KVM cannot do has been left out of
 * the model when the machine was made. */

#include "core/cpu/kvm/kvm-machine.h"
#include <errno.h>
#include <gio/gio.h>
#include <sys/ioctl.h>

#define MAX_ENTRIES 256
#define MAX_SUBLEAVES 8

typedef struct kvm_cpuid2 CpuidTable;

static CpuidTable *table_new(void)
{
    CpuidTable *table = g_malloc0(sizeof *table + MAX_ENTRIES * sizeof table->entries[0]);

    table->nent = MAX_ENTRIES;
    return table;
}

bool kvm_cpuid_features(int kvm_fd, uint32_t out[CPU_N_FEATURES])
{
    g_autofree CpuidTable *table = table_new();

    for (unsigned i = 0; i < CPU_N_FEATURES; i++)
        out[i] = 0;
    if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, table) < 0)
        return false;
    for (unsigned i = 0; i < table->nent; i++) {
        const struct kvm_cpuid_entry2 *entry = &table->entries[i];
        if (entry->function == 1) {
            out[CPU_FEATURES_1C] = entry->ecx;
            out[CPU_FEATURES_1D] = entry->edx;
        } else if (entry->function == 7 && entry->index == 0) {
            out[CPU_FEATURES_7B] = entry->ebx;
            out[CPU_FEATURES_7C] = entry->ecx;
            out[CPU_FEATURES_7D] = entry->edx;
        } else if (entry->function == 7 && entry->index == 2) {
            out[CPU_FEATURES_72D] = entry->edx;
        } else if (entry->function == 0x80000001) {
            out[CPU_FEATURES_EC] = entry->ecx;
            out[CPU_FEATURES_ED] = entry->edx;
        }
    }
    return true;
}

static bool has_subleaves(uint32_t leaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xB || leaf == 0xD;
}

static void add_leaf(CpuidTable *table, const CpuModel *model, unsigned id, uint32_t leaf)
{
    unsigned n = has_subleaves(leaf) ? MAX_SUBLEAVES : 1;

    for (unsigned subleaf = 0; subleaf < n; subleaf++) {
        uint32_t out[4];
        cpu_model_leaf(model, id, leaf, subleaf, out);
        table->entries[table->nent++] = (struct kvm_cpuid_entry2){
            .function = leaf,
            .index = subleaf,
            .flags = n > 1 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
            .eax = out[0],
            .ebx = out[1],
            .ecx = out[2],
            .edx = out[3],
        };
    }
}

bool kvm_cpuid_set(KvmCpu *cpu, GError **error)
{
    const CpuModel *model = &cpu->vcpu.board->model;
    g_autofree CpuidTable *table = table_new();

    table->nent = 0;
    for (uint32_t leaf = 0; leaf <= CPU_LEAF_MAX_BASIC; leaf++)
        add_leaf(table, model, cpu->vcpu.id, leaf);
    add_leaf(table, model, cpu->vcpu.id, CPU_LEAF_HYPERVISOR);
    for (uint32_t leaf = CPU_LEAF_EXTENDED; leaf <= CPU_LEAF_MAX_EXTENDED; leaf++)
        add_leaf(table, model, cpu->vcpu.id, leaf);
    if (ioctl(cpu->fd, KVM_SET_CPUID2, table) == 0)
        return true;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                "KVM: the processor's model is refused: %s", g_strerror(errno));
    return false;
}
