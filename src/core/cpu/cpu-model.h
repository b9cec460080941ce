/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What a guest is told of its processor: CPUID (SDM vol. 2) as data, the same whichever backend
 * runs it. A guest may be moved to a backend only if that can do all that it has been told.
 * Included by cpu.h; constant once a machine is made, so any thread. */

#include <stdbool.h>
#include <stdint.h>

/* Words of feature bits, each one register of one leaf. */
typedef enum {
    CPU_FEATURES_1C, /* leaf 1 ECX */
    CPU_FEATURES_1D,
    CPU_FEATURES_7B, /* leaf 7 subleaf 0 EBX */
    CPU_FEATURES_7C,
    CPU_FEATURES_7D,
    CPU_FEATURES_72D, /* leaf 7 subleaf 2 EDX */
    CPU_FEATURES_EC,  /* leaf 80000001h ECX */
    CPU_FEATURES_ED,
    CPU_FEATURES_KVM,    /* what KVM offers its guests: EAX of its leaf 1 */
    CPU_FEATURES_HYPERV, /* what Hyper-V does: EAX of leaf 40000003h */
    CPU_N_FEATURES
} CpuFeatureWord;

#define CPU_FEATURE_1C_TSC_DEADLINE (UINT32_C(1) << 24)
enum { /* CPU_FEATURES_KVM (Documentation/virt/kvm/x86/cpuid.rst of Linux) */
       CPU_KVM_CLOCK_OLD = 1 << 0,
       CPU_KVM_NO_IO_DELAY = 1 << 1,
       CPU_KVM_CLOCK = 1 << 3,
       CPU_KVM_CLOCK_STABLE = 1 << 24, /* the same time on all CPUs */
};

/* The levels of the x86-64 psABI, which compilers and distributions speak of. */
typedef enum {
    CPU_MODEL_AUTO, /* all that both the software CPU and the backend have: it can be moved */
    CPU_MODEL_V1,
    CPU_MODEL_V2,
    CPU_MODEL_V3,
    CPU_MODEL_HOST, /* all that the backend has: it may not be movable */
} CpuModelName;

typedef struct {
    uint32_t features[CPU_N_FEATURES];
    bool is_host; /* and what else the host's processor says of itself */
    uint64_t tsc_hz;
    unsigned n_cpus;
    const char *brand; /* static; up to 47 characters */
} CpuModel;

#define CPU_TSC_HZ_USUAL                                                                           \
    UINT64_C(1000000000) /* a tick a nanosecond: what the software CPU likes                       \
                          */

/* Everything that the software CPU does: x86-64-v2 and some more. */
CpuModel cpu_model_software(unsigned n_cpus);
/* What @name asks for; a backend then limits it. */
CpuModel cpu_model_named(CpuModelName name, unsigned n_cpus);
/* Offers Hyper-V's interface too (what Windows looks for). */
void cpu_model_offer_hyperv(CpuModel *model);
/* The features of @wanted that @had does not have, by name ("AVX2, BMI1"); NULL: none. */
char *cpu_model_dup_missing(const CpuModel *wanted, const CpuModel *had);
/* Leaves out of @model the features that are not in @features. What only says how the machine is
 * built (APIC, hypervisor, cores) stays. */
void cpu_model_restrict(CpuModel *model, const uint32_t features[CPU_N_FEATURES]);
/* Whether a processor with @features can do all of @model, but for what is no processor's. */
bool cpu_model_fits(const CpuModel *model, const uint32_t features[CPU_N_FEATURES]);
/* EAX, EBX, ECX, EDX of a leaf on CPU @id. OSXSAVE is clear and SYSCALL set: they follow the guest,
 * so the backend sees to them. */
void cpu_model_leaf(const CpuModel *model, unsigned id, uint32_t leaf, uint32_t subleaf,
                    uint32_t out[4]);
/* The ranges that cpu_model_leaf() has something to say of, for backends that want all at once. */
/* Of physical addresses, as leaf 80000008h says: whatever a guest gives as one has no others. */
#define CPU_PHYSICAL_BITS 40
#define CPU_PHYSICAL_MASK ((UINT64_C(1) << CPU_PHYSICAL_BITS) - 1)
#define CPU_PHYSICAL_PAGES (CPU_PHYSICAL_MASK & ~UINT64_C(0xFFF))

#define CPU_LEAF_MAX_BASIC 0x16u
#define CPU_LEAF_HYPERVISOR 0x40000000u
#define CPU_LEAF_MAX_HYPERVISOR 0x40000006u
#define CPU_LEAF_SECOND_HYPERVISOR 0x40000100u /* KVM's, where Hyper-V is the first */
#define CPU_LEAF_MAX_SECOND_HYPERVISOR 0x40000101u
#define CPU_LEAF_EXTENDED 0x80000000u
#define CPU_LEAF_MAX_EXTENDED 0x80000008u
