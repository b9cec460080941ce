/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* An x86-64-v2 model, and nothing that it cannot do. The vendor is one that operating systems know;
 * the family and model are of a processor of that level. A feature belongs here in the same commit
 * as the software CPU's instructions. */

#include "core/cpu/cpu-model.h"
#include "core/irq/apic.h"
#include <string.h>

#define FAMILY_6_MODEL_2C_STEPPING_2 0x000206C2u

#define BIT(n) (UINT32_C(1) << (n))

enum { /* leaf 1 ECX */
       F1C_SSE3 = BIT(0),
       F1C_PCLMULQDQ = BIT(1),
       F1C_SSSE3 = BIT(9),
       F1C_FMA = BIT(12),
       F1C_CX16 = BIT(13),
       F1C_SSE41 = BIT(19),
       F1C_SSE42 = BIT(20),
       F1C_X2APIC = BIT(21),
       F1C_MOVBE = BIT(22),
       F1C_POPCNT = BIT(23),
       F1C_AES = BIT(25),
       F1C_XSAVE = BIT(26),
       F1C_AVX = BIT(28),
       F1C_F16C = BIT(29),
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
       F7B_BMI1 = BIT(3),
       F7B_AVX2 = BIT(5),
       F7B_SMEP = BIT(7),
       F7B_BMI2 = BIT(8),
       F7B_ERMS = BIT(9),
       F7B_SMAP = BIT(20),
       F7D_FSRM = BIT(4),
       F7D_SPEC_CTRL = BIT(26),
       F7D_ARCH_CAPABILITIES = BIT(29),
       F72D_BHI_CTRL = BIT(4), /* subleaf 2 */
};
enum { /* leaf 80000001h */
       FEC_LAHF64 = BIT(0),
       FEC_LZCNT = BIT(5),
       FED_SYSCALL = BIT(11),
       FED_NX = BIT(20),
       FED_PDPE1GB = BIT(26),
       FED_RDTSCP = BIT(27),
       FED_LM = BIT(29),
};

CpuModel cpu_model_software(unsigned n_cpus)
{
    return (CpuModel){
        .features = {
            [CPU_FEATURES_1C] = F1C_SSE3 | F1C_PCLMULQDQ | F1C_SSSE3 | F1C_CX16 | F1C_SSE41 |
                                F1C_SSE42 | F1C_X2APIC | F1C_POPCNT |
                                CPU_FEATURE_1C_TSC_DEADLINE | F1C_AES | F1C_XSAVE | F1C_RDRAND | F1C_HYPERVISOR,
            [CPU_FEATURES_1D] = F1D_FPU | F1D_DE | F1D_PSE | F1D_TSC | F1D_MSR | F1D_PAE | F1D_MCE |
                                F1D_CX8 | F1D_APIC | F1D_SEP | F1D_MTRR | F1D_PGE | F1D_MCA |
                                F1D_CMOV | F1D_PAT | F1D_PSE36 | F1D_CLFLUSH | F1D_MMX | F1D_FXSR |
                                F1D_SSE | F1D_SSE2 | (n_cpus > 1 ? F1D_HTT : 0),
            [CPU_FEATURES_7B] = F7B_FSGSBASE | F7B_TSC_ADJUST | F7B_SMEP | F7B_ERMS | F7B_SMAP,
            [CPU_FEATURES_7D] = F7D_FSRM | F7D_SPEC_CTRL | F7D_ARCH_CAPABILITIES,
            [CPU_FEATURES_72D] = F72D_BHI_CTRL,
            [CPU_FEATURES_EC] = FEC_LAHF64,
            [CPU_FEATURES_ED] = FED_SYSCALL | FED_NX | FED_PDPE1GB | FED_RDTSCP | FED_LM,
            [CPU_FEATURES_KVM] = CPU_KVM_CLOCK_OLD | CPU_KVM_NO_IO_DELAY | CPU_KVM_CLOCK |
                                 CPU_KVM_CLOCK_STABLE,
        },
        .tsc_hz = CPU_TSC_HZ_USUAL,
        .n_cpus = n_cpus,
        .brand = "Vitrine virtual CPU",
    };
}

/* What the levels add to one another (System V ABI, AMD64 supplement, table 3.1). */
static const struct {
    uint8_t level, word;
    uint32_t bit;
    const char *name;
} level_features[] = {
    { 2, CPU_FEATURES_1C, F1C_SSE3, "SSE3" },       { 2, CPU_FEATURES_1C, F1C_SSSE3, "SSSE3" },
    { 2, CPU_FEATURES_1C, F1C_SSE41, "SSE4.1" },    { 2, CPU_FEATURES_1C, F1C_SSE42, "SSE4.2" },
    { 2, CPU_FEATURES_1C, F1C_CX16, "CMPXCHG16B" }, { 2, CPU_FEATURES_1C, F1C_POPCNT, "POPCNT" },
    { 2, CPU_FEATURES_EC, FEC_LAHF64, "LAHF" },     { 3, CPU_FEATURES_1C, F1C_XSAVE, "XSAVE" },
    { 3, CPU_FEATURES_1C, F1C_AVX, "AVX" },         { 3, CPU_FEATURES_1C, F1C_F16C, "F16C" },
    { 3, CPU_FEATURES_1C, F1C_FMA, "FMA" },         { 3, CPU_FEATURES_1C, F1C_MOVBE, "MOVBE" },
    { 3, CPU_FEATURES_7B, F7B_AVX2, "AVX2" },       { 3, CPU_FEATURES_7B, F7B_BMI1, "BMI1" },
    { 3, CPU_FEATURES_7B, F7B_BMI2, "BMI2" },       { 3, CPU_FEATURES_EC, FEC_LZCNT, "LZCNT" },
};

/* Beyond the levels a model has what systems use and programs do not see. */
static CpuModel model_of_level(unsigned level, unsigned n_cpus)
{
    CpuModel model = cpu_model_software(n_cpus);

    model.features[CPU_FEATURES_1C] &= F1C_X2APIC | CPU_FEATURE_1C_TSC_DEADLINE | F1C_HYPERVISOR;
    model.features[CPU_FEATURES_7B] = model.features[CPU_FEATURES_7D] = 0;
    model.features[CPU_FEATURES_72D] = model.features[CPU_FEATURES_EC] = 0;
    model.features[CPU_FEATURES_ED] = FED_SYSCALL | FED_NX | FED_LM;
    for (unsigned i = 0; i < G_N_ELEMENTS(level_features); i++)
        if (level_features[i].level <= level)
            model.features[level_features[i].word] |= level_features[i].bit;
    return model;
}

CpuModel cpu_model_named(CpuModelName name, unsigned n_cpus)
{
    switch (name) {
    case CPU_MODEL_V1: return model_of_level(1, n_cpus);
    case CPU_MODEL_V2: return model_of_level(2, n_cpus);
    case CPU_MODEL_V3: return model_of_level(3, n_cpus);
    case CPU_MODEL_AUTO:
    case CPU_MODEL_HOST: break;
    }
    CpuModel model = cpu_model_software(n_cpus);
    model.is_host = name == CPU_MODEL_HOST;
    return model;
}

char *cpu_model_dup_missing(const CpuModel *wanted, const CpuModel *had)
{
    GString *names = g_string_new(NULL);

    for (unsigned i = 0; i < G_N_ELEMENTS(level_features); i++) {
        unsigned word = level_features[i].word;
        if (wanted->features[word] & ~had->features[word] & level_features[i].bit)
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", level_features[i].name);
    }
    if (names->len == 0 && !cpu_model_fits(wanted, had->features))
        g_string_append(names, "x86-64");
    return g_string_free(names, names->len == 0);
}

/* Of these the board decides, not the processor. */
static uint32_t board_features(CpuFeatureWord word)
{
    switch (word) {
    case CPU_FEATURES_1C: return F1C_HYPERVISOR | F1C_X2APIC;
    case CPU_FEATURES_1D: return F1D_APIC | F1D_HTT;
    default: return 0;
    }
}

void cpu_model_restrict(CpuModel *model, const uint32_t features[CPU_N_FEATURES])
{
    for (unsigned i = 0; i < CPU_N_FEATURES; i++)
        model->features[i] &= features[i] | board_features(i);
}

bool cpu_model_fits(const CpuModel *model, const uint32_t features[CPU_N_FEATURES])
{
    for (unsigned i = 0; i < CPU_N_FEATURES; i++)
        if (i != CPU_FEATURES_KVM && i != CPU_FEATURES_HYPERV &&
            model->features[i] & ~(features[i] | board_features(i)))
            return false;
    return true;
}

/* Bits of the APIC id that number the cores of the one package. */
static unsigned core_bits(const CpuModel *model)
{
    unsigned bits = 0;
    while (1u << bits < model->n_cpus)
        bits++;
    return bits;
}

static void leaf_features(const CpuModel *model, unsigned id, uint32_t out[4])
{
    out[0] = FAMILY_6_MODEL_2C_STEPPING_2;
    out[1] = id << 24 | MIN(1u << core_bits(model), 255u) << 16 | 8 << 8;
    out[2] = model->features[CPU_FEATURES_1C];
    out[3] = model->features[CPU_FEATURES_1D];
}

static void leaf_cache(const CpuModel *model, uint32_t subleaf, uint32_t out[4])
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
    uint32_t others = (1u << core_bits(model)) - 1;
    out[0] = cache[subleaf].type | cache[subleaf].level << 5 | 1 << 8 | others << 26;
    if (cache[subleaf].shared) {
        out[0] |= others << 14;
        out[3] = 2; /* inclusive */
    }
    out[1] = (cache[subleaf].ways - 1u) << 22 | 63;
    out[2] = cache[subleaf].sets - 1u;
}

static void leaf_topology(const CpuModel *model, unsigned id, uint32_t subleaf, uint32_t out[4])
{
    out[2] = subleaf & 0xFF;
    out[3] = id;
    if (subleaf == 0) { /* threads: one a core */
        out[1] = 1;
        out[2] |= 1 << 8;
    } else if (subleaf == 1) {
        out[0] = core_bits(model);
        out[1] = model->n_cpus;
        out[2] |= 2 << 8;
    }
}

static void leaf_xsave(const CpuModel *model, uint32_t subleaf, uint32_t out[4])
{
    bool has_avx = model->features[CPU_FEATURES_1C] & F1C_AVX;

    if (!(model->features[CPU_FEATURES_1C] & F1C_XSAVE))
        return;
    if (subleaf == 0) {
        out[0] = has_avx ? 7 : 3; /* x87, SSE, the upper halves */
        out[1] = out[2] = has_avx ? 832 : 576;
    } else if (subleaf == 2 && has_avx) {
        out[0] = 256;
        out[1] = 576;
    }
}

static void leaf_basic(const CpuModel *model, unsigned id, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4])
{
    switch (leaf) {
    case 0:
        out[0] = CPU_LEAF_MAX_BASIC;
        memcpy(&out[1], "Genu", 4);
        memcpy(&out[3], "ineI", 4);
        memcpy(&out[2], "ntel", 4);
        break;
    case 1: leaf_features(model, id, out); break;
    case 2: /* the caches of leaf 4, as descriptors */
        out[0] = 0x55035A01;
        out[1] = 0x00F0B2E4;
        out[3] = 0x09CA212C;
        break;
    case 4: leaf_cache(model, subleaf, out); break;
    case 6: out[0] = BIT(2); break; /* the APIC timer runs in every idle state */
    case 7:
        if (subleaf == 0) {
            out[0] = 2; /* last subleaf */
            out[1] = model->features[CPU_FEATURES_7B];
            out[2] = model->features[CPU_FEATURES_7C];
            out[3] = model->features[CPU_FEATURES_7D];
        } else if (subleaf == 2) {
            out[3] = model->features[CPU_FEATURES_72D];
        }
        break;
    case 0xB: leaf_topology(model, id, subleaf, out); break;
    case 0xD: leaf_xsave(model, subleaf, out); break;
    case 0x15: /* TSC : crystal, which is the APIC's clock, and that in Hz */
        out[0] = APIC_BUS_HZ / 1000000;
        out[1] = (uint32_t)(model->tsc_hz / 1000000);
        out[2] = APIC_BUS_HZ;
        break;
    case 0x16: /* MHz: base, highest, bus */
        out[0] = out[1] = (uint32_t)(model->tsc_hz / 1000000);
        out[2] = 100;
        break;
    default: break;
    }
}

static void leaf_extended(const CpuModel *model, uint32_t leaf, uint32_t out[4])
{
    char brand[49] = "";
    g_strlcpy(brand, model->brand, sizeof brand);
    switch (leaf) {
    case 0x80000000: out[0] = CPU_LEAF_MAX_EXTENDED; break;
    case 0x80000001:
        out[2] = model->features[CPU_FEATURES_EC];
        out[3] = model->features[CPU_FEATURES_ED];
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: memcpy(out, brand + (leaf - 0x80000002) * 16, 16); break;
    case 0x80000006: out[2] = 256u << 16 | 6 << 12 | 64; break;   /* L2: KiB, 8 ways, line */
    case 0x80000007: out[3] = BIT(8); break;                      /* the TSC is invariant */
    case 0x80000008: out[0] = 48 << 8 | CPU_PHYSICAL_BITS; break; /* 48: linear */
    default: break;
    }
}

/* Hyper-V's features (TLFS 6.0b §2.4): all that src/core/cpu/hyperv.c has. */
enum {
    HV_REFERENCE_COUNTER = BIT(1),
    HV_HYPERCALL = BIT(5),
    HV_VP_INDEX = BIT(6),
    HV_REFERENCE_TSC = BIT(9),
    HV_FREQUENCIES = BIT(11),
};
#define HV_EDX_FREQUENCIES BIT(8)
#define HV_RELAXED_TIMING BIT(5) /* recommended: no watchdog for a CPU that is not always there */
#define HV_SPINS_BEFORE_CALL 0xFFFu
#define HV_BUILD 14393u /* of the version whose interface this is */
#define HV_VERSION (10u << 16)
#define HV_MAX_PROCESSORS 64u

void cpu_model_offer_hyperv(CpuModel *model)
{
    model->features[CPU_FEATURES_HYPERV] =
        HV_REFERENCE_COUNTER | HV_HYPERCALL | HV_VP_INDEX | HV_REFERENCE_TSC | HV_FREQUENCIES;
}

static void leaf_hyperv(const CpuModel *model, uint32_t leaf, uint32_t out[4])
{
    switch (leaf & 0xFF) {
    case 0:
        out[0] = CPU_LEAF_MAX_HYPERVISOR;
        memcpy(out + 1, "Microsoft Hv", 12);
        break;
    case 1: memcpy(out, "Hv#1", 4); break;
    case 2:
        out[0] = HV_BUILD;
        out[1] = HV_VERSION;
        break;
    case 3:
        out[0] = model->features[CPU_FEATURES_HYPERV];
        out[3] = out[0] & HV_FREQUENCIES ? HV_EDX_FREQUENCIES : 0;
        break;
    case 4:
        out[0] = HV_RELAXED_TIMING;
        out[1] = HV_SPINS_BEFORE_CALL;
        break;
    case 5: out[0] = out[1] = HV_MAX_PROCESSORS; break;
    default: break;
    }
}

/* KVM's signature stands for its interface, whoever has it. */
static void leaf_kvm(const CpuModel *model, uint32_t leaf, uint32_t out[4])
{
    uint32_t features = model->features[CPU_FEATURES_KVM], base = leaf & ~UINT32_C(0xFF);

    if (leaf == base) {
        out[0] = features ? base + 1 : base;
        memcpy(out + 1, features ? "KVMKVMKVM\0\0" : "VitrineVitri", 12);
    } else if (leaf == base + 1) {
        out[0] = features;
    }
}

static void leaf_hypervisor(const CpuModel *model, uint32_t leaf, uint32_t out[4])
{
    bool has_hyperv = model->features[CPU_FEATURES_HYPERV] != 0;

    if (leaf >= CPU_LEAF_SECOND_HYPERVISOR) {
        if (has_hyperv)
            leaf_kvm(model, leaf, out);
    } else if (has_hyperv) {
        leaf_hyperv(model, leaf, out);
    } else {
        leaf_kvm(model, leaf, out);
    }
}

void cpu_model_leaf(const CpuModel *model, unsigned id, uint32_t leaf, uint32_t subleaf,
                    uint32_t out[4])
{
    memset(out, 0, 4 * sizeof *out);
    if ((leaf >= CPU_LEAF_HYPERVISOR && leaf <= CPU_LEAF_MAX_HYPERVISOR) ||
        (leaf >= CPU_LEAF_SECOND_HYPERVISOR && leaf <= CPU_LEAF_MAX_SECOND_HYPERVISOR)) {
        leaf_hypervisor(model, leaf, out);
    } else if (leaf >= CPU_LEAF_EXTENDED && leaf <= CPU_LEAF_MAX_EXTENDED) {
        leaf_extended(model, leaf, out);
    } else if (leaf <= CPU_LEAF_MAX_BASIC) {
        leaf_basic(model, id, leaf, subleaf, out);
    }
}
