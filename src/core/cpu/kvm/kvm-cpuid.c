/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* CPUID on KVM: the machine's model, in the kernel's form. What KVM cannot do has been left out of
 * the model when the machine was made. */

#include "core/cpu/kvm/kvm-machine.h"
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n.h>
#include <sys/ioctl.h>

#define MAX_ENTRIES 256
#define MAX_SUBLEAVES 8
#define BIT_HYPERVISOR (UINT32_C(1) << 31) /* leaf 1 ECX */

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
    /* The kernel's local APIC has it, whatever the processor has. */
    if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
        out[CPU_FEATURES_1C] |= CPU_FEATURE_1C_TSC_DEADLINE;
    return true;
}

static bool has_subleaves(uint32_t leaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xB || leaf == 0xD;
}

/* Leaves that say how the machine is built, not what its processor can do. */
static bool is_ours(uint32_t leaf)
{
    return leaf == 4 || leaf == 0xB || leaf == 0x15 || leaf == 0x16;
}

static bool has_leaf(const CpuidTable *table, uint32_t leaf)
{
    for (unsigned i = 0; i < table->nent; i++)
        if (table->entries[i].function == leaf)
            return true;
    return false;
}

/* The host's own words, but for what is ours; in leaf 1 that is the APIC's id and the cores. */
static void add_host(const KvmCpu *cpu, CpuidTable *table)
{
    g_autofree CpuidTable *host = table_new();
    const CpuModel *model = &cpu->vcpu.board->model;
    uint32_t ours[4];

    if (ioctl(cpu->machine->kvm_fd, KVM_GET_SUPPORTED_CPUID, host) < 0)
        return;
    cpu_model_leaf(model, cpu->vcpu.id, 1, 0, ours);
    for (unsigned i = 0; i < host->nent; i++) {
        struct kvm_cpuid_entry2 entry = host->entries[i];
        if (is_ours(entry.function) || entry.function >> 16 == CPU_LEAF_HYPERVISOR >> 16 ||
            entry.function == 0x1F)
            continue;
        if (entry.function == 0)
            entry.eax = MAX(entry.eax, CPU_LEAF_MAX_BASIC);
        if (entry.function == 1) {
            entry.ebx = ours[1];
            entry.ecx |= ours[2] & (BIT_HYPERVISOR | CPU_FEATURE_1C_TSC_DEADLINE);
        }
        table->entries[table->nent++] = entry;
    }
}

static void add_leaf(CpuidTable *table, const CpuModel *model, unsigned id, uint32_t leaf)
{
    unsigned n = has_subleaves(leaf) ? MAX_SUBLEAVES : 1;

    if (has_leaf(table, leaf))
        return;

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
    if (model->is_host)
        add_host(cpu, table);
    for (uint32_t leaf = 0; leaf <= CPU_LEAF_MAX_BASIC; leaf++)
        add_leaf(table, model, cpu->vcpu.id, leaf);
    for (uint32_t leaf = CPU_LEAF_HYPERVISOR; leaf <= CPU_LEAF_MAX_HYPERVISOR; leaf++)
        add_leaf(table, model, cpu->vcpu.id, leaf);
    for (uint32_t leaf = CPU_LEAF_SECOND_HYPERVISOR; leaf <= CPU_LEAF_MAX_SECOND_HYPERVISOR; leaf++)
        add_leaf(table, model, cpu->vcpu.id, leaf);
    for (uint32_t leaf = CPU_LEAF_EXTENDED; leaf <= CPU_LEAF_MAX_EXTENDED; leaf++)
        add_leaf(table, model, cpu->vcpu.id, leaf);
    if (ioctl(cpu->fd, KVM_SET_CPUID2, table) == 0)
        return true;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errno),
                _("KVM: the processor's model is refused: %s"), g_strerror(errno));
    return false;
}
