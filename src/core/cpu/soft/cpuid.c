/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* What the CPU says it is (SDM vol. 2, CPUID): an x86-64-v2 model, and nothing that it cannot do.
 * The vendor is one that operating systems know; the family and model are of a processor of that
 * level. A feature belongs here in the same commit as its instructions. */

#include "core/cpu/soft/system.h"
#include "core/irq/apic.h"

#define FAMILY_6_MODEL_2C_STEPPING_2 0x000206C2u
#define MAX_BASIC 0x16u
#define MAX_EXTENDED 0x80000008u
#define HYPERVISOR 0x40000000u
#define TSC_HZ 1000000000u
G_STATIC_ASSERT(TSC_HZ == APIC_BUS_HZ); /* leaf 15h speaks of both */

#define BIT(n) (UINT32_C(1) << (n))

enum { /* leaf 1 ECX */
       F1C_SSE3 = BIT(0),
       F1C_PCLMULQDQ = BIT(1),
       F1C_SSSE3 = BIT(9),
       F1C_CX16 = BIT(13),
       F1C_SSE41 = BIT(19),
       F1C_SSE42 = BIT(20),
       F1C_X2APIC = BIT(21),
       F1C_POPCNT = BIT(23),
       F1C_AES = BIT(25),
       F1C_XSAVE = BIT(26),
       F1C_OSXSAVE = BIT(27),
       F1C_RDRAND = BIT(30),
};
#define F1C_HYPERVISOR BIT(31)
enum { /* leaf 1 EDX */
       F1D_FPU = BIT(0),
       F1D_DE = BIT(2),
       F1D_PSE = BIT(3),
       F1D_TSC = BIT(4),
       F1D_MSR = BIT(5),
       F1D_PAE = BIT(6),
       F1D_MCE = BIT(7),
       F1D_CX8 = BIT(8),
       F1D_APIC = BIT(9),
       F1D_SEP = BIT(11),
       F1D_MTRR = BIT(12),
       F1D_PGE = BIT(13),
       F1D_MCA = BIT(14),
       F1D_CMOV = BIT(15),
       F1D_PAT = BIT(16),
       F1D_PSE36 = BIT(17),
       F1D_CLFLUSH = BIT(19),
       F1D_MMX = BIT(23),
       F1D_FXSR = BIT(24),
       F1D_SSE = BIT(25),
       F1D_SSE2 = BIT(26),
       F1D_HTT = BIT(28),
};
enum { /* leaf 7 */
       F7B_FSGSBASE = BIT(0),
       F7B_TSC_ADJUST = BIT(1),
       F7B_SMEP = BIT(7),
       F7B_ERMS = BIT(9),
       F7B_SMAP = BIT(20),
       F7D_FSRM = BIT(4),
       F7D_SPEC_CTRL = BIT(26),
       F7D_ARCH_CAPABILITIES = BIT(29),
       F72D_BHI_CTRL = BIT(4), /* subleaf 2 */
};
enum { /* leaf 80000001h */
       FEC_LAHF64 = BIT(0),
       FED_SYSCALL = BIT(11),
       FED_NX = BIT(20),
       FED_PDPE1GB = BIT(26),
       FED_RDTSCP = BIT(27),
       FED_LM = BIT(29),
};

/* Bits of the APIC id that number the cores of the one package. */
static unsigned core_bits(const SoftCpu *cpu)
{
    unsigned bits = 0;
    while (1u << bits < cpu->machine->n_vcpus)
        bits++;
    return bits;
}

static void leaf_features(SoftCpu *cpu, uint32_t out[4])
{
    out[0] = FAMILY_6_MODEL_2C_STEPPING_2;
    out[1] = cpu->vcpu.id << 24 | MIN(1u << core_bits(cpu), 255u) << 16 | 8 << 8;
    out[2] = F1C_SSE3 | F1C_PCLMULQDQ | F1C_SSSE3 | F1C_CX16 | F1C_SSE41 | F1C_SSE42 | F1C_X2APIC |
             F1C_POPCNT | F1C_AES | F1C_XSAVE | F1C_RDRAND | F1C_HYPERVISOR;
    if (cpu->cr4 & CR4_OSXSAVE)
        out[2] |= F1C_OSXSAVE;
    out[3] = F1D_FPU | F1D_DE | F1D_PSE | F1D_TSC | F1D_MSR | F1D_PAE | F1D_MCE | F1D_CX8 |
             F1D_APIC | F1D_SEP | F1D_MTRR | F1D_PGE | F1D_MCA | F1D_CMOV | F1D_PAT | F1D_PSE36 |
             F1D_CLFLUSH | F1D_MMX | F1D_FXSR | F1D_SSE | F1D_SSE2;
    if (cpu->machine->n_vcpus > 1)
        out[3] |= F1D_HTT;
}

static void leaf_cache(SoftCpu *cpu, uint32_t subleaf, uint32_t out[4])
{
    static const struct {
        uint8_t type, level, ways;
        bool shared;
        uint16_t sets;
    } cache[] = {
        { 1, 1, 8, false, 64 },   /* 32 KiB data */
        { 2, 1, 4, false, 128 },  /* 32 KiB instructions */
        { 3, 2, 8, false, 512 },  /* 256 KiB */
        { 3, 3, 16, true, 8192 }, /* 8 MiB */
    };
    if (subleaf >= G_N_ELEMENTS(cache))
        return;
    uint32_t others = (1u << core_bits(cpu)) - 1;
    out[0] = cache[subleaf].type | cache[subleaf].level << 5 | 1 << 8 | others << 26;
    if (cache[subleaf].shared) {
        out[0] |= others << 14;
        out[3] = 2; /* inclusive */
    }
    out[1] = (cache[subleaf].ways - 1u) << 22 | 63;
    out[2] = cache[subleaf].sets - 1u;
}

static void leaf_topology(SoftCpu *cpu, uint32_t subleaf, uint32_t out[4])
{
    out[2] = subleaf & 0xFF;
    out[3] = cpu->vcpu.id;
    if (subleaf == 0) { /* threads: one a core */
        out[1] = 1;
        out[2] |= 1 << 8;
    } else if (subleaf == 1) {
        out[0] = core_bits(cpu);
        out[1] = cpu->machine->n_vcpus;
        out[2] |= 2 << 8;
    }
}

static void leaf_basic(SoftCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    switch (leaf) {
    case 0:
        out[0] = MAX_BASIC;
        memcpy(&out[1], "Genu", 4);
        memcpy(&out[3], "ineI", 4);
        memcpy(&out[2], "ntel", 4);
        break;
    case 1: leaf_features(cpu, out); break;
    case 2: /* the caches of leaf 4, as descriptors */
        out[0] = 0x55035A01;
        out[1] = 0x00F0B2E4;
        out[3] = 0x09CA212C;
        break;
    case 4: leaf_cache(cpu, subleaf, out); break;
    case 6: out[0] = BIT(2); break; /* the APIC timer runs in every idle state */
    case 7:
        if (subleaf == 0) {
            out[0] = 2; /* last subleaf */
            out[1] = F7B_FSGSBASE | F7B_TSC_ADJUST | F7B_SMEP | F7B_ERMS | F7B_SMAP;
            out[3] = F7D_FSRM | F7D_SPEC_CTRL | F7D_ARCH_CAPABILITIES;
        } else if (subleaf == 2) {
            out[3] = F72D_BHI_CTRL;
        }
        break;
    case 0xB: leaf_topology(cpu, subleaf, out); break;
    case 0xD:
        if (subleaf == 0) {
            out[0] = 3; /* x87 and SSE */
            out[1] = out[2] = 576;
        }
        break;
    case 0x15: /* TSC : crystal, crystal in Hz */
        out[0] = out[1] = 1;
        out[2] = TSC_HZ;
        break;
    case 0x16: /* MHz: base, highest, bus */
        out[0] = out[1] = TSC_HZ / 1000000;
        out[2] = 100;
        break;
    default: break;
    }
}

static void leaf_extended(SoftCpu *cpu, uint32_t leaf, uint32_t out[4])
{
    static const char brand[49] = "Vitrine software CPU";
    switch (leaf) {
    case 0x80000000: out[0] = MAX_EXTENDED; break;
    case 0x80000001:
        out[2] = FEC_LAHF64;
        out[3] = FED_NX | FED_PDPE1GB | FED_RDTSCP | FED_LM;
        if (soft_in_64bit(cpu))
            out[3] |= FED_SYSCALL;
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: memcpy(out, brand + (leaf - 0x80000002) * 16, 16); break;
    case 0x80000006: out[2] = 256u << 16 | 6 << 12 | 64; break; /* L2: KiB, 8 ways, line */
    case 0x80000007: out[3] = BIT(8); break;                    /* the TSC is invariant */
    case 0x80000008: out[0] = 48 << 8 | 40; break;              /* linear, physical bits */
    default: break;
    }
}

void soft_cpuid(SoftCpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof *out);
    if (leaf == HYPERVISOR) {
        out[0] = HYPERVISOR;
        memcpy(out + 1, "VitrineVitri", 12);
    } else if (leaf >= 0x80000000 && leaf <= MAX_EXTENDED) {
        leaf_extended(cpu, leaf, out);
    } else if (leaf <= MAX_BASIC) {
        leaf_basic(cpu, leaf, subleaf, out);
    }
}

static G_GNUC_NO_INLINE void cpuid(SoftCpu *cpu)
{
    uint32_t out[4];
    soft_cpuid(cpu, (uint32_t)cpu->gpr[0], (uint32_t)cpu->gpr[1], out);
    cpu->gpr[0] = out[0];
    cpu->gpr[3] = out[1];
    cpu->gpr[1] = out[2];
    cpu->gpr[2] = out[3];
}

SoftNext soft_op_cpuid(SoftCpu *cpu, SoftOp *op)
{
    cpuid(cpu);
    SOFT_NEXT(cpu, op);
}
