/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* kvmclock (Documentation/virt/kvm/x86/msr.rst and cpuid.rst of Linux): the time since power-on as
 * a line through the TSC, one a vCPU, and the time of day of power-on. It is the machine's clock,
 * but that it runs as evenly as the TSC does. */

#include "core/cpu/paravirt-private.h"
#include "core/memory/dma.h"

enum { /* MSRs; the first two are the same ones by their first numbers */
       MSR_WALL_CLOCK_OLD = 0x11,
       MSR_SYSTEM_TIME_OLD = 0x12,
       MSR_WALL_CLOCK = 0x4B564D00,
       MSR_SYSTEM_TIME = 0x4B564D01,
};

#define CLOCK_PAIRING_WALL_CLOCK 0
#define SYSTEM_TIME_ENABLED 1u
#define FLAG_TSC_STABLE 1u /* all vCPUs' lines are one */

typedef struct {
    uint32_t version; /* odd while the rest changes */
    uint32_t padding;
    uint64_t tsc_timestamp, system_time_ns;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags;
    uint8_t padding2[2];
} TimeInfo;
G_STATIC_ASSERT(sizeof(TimeInfo) == 32);

typedef struct {
    uint32_t version, seconds, nanoseconds;
} WallClock;

bool pv_clock_has_msr(const CpuModel *model, uint32_t msr)
{
    bool is_old = msr == MSR_WALL_CLOCK_OLD || msr == MSR_SYSTEM_TIME_OLD;
    bool is_new = msr == MSR_WALL_CLOCK || msr == MSR_SYSTEM_TIME;

    return (is_old && model->features[CPU_FEATURES_KVM] & CPU_KVM_CLOCK_OLD) ||
           (is_new && model->features[CPU_FEATURES_KVM] & CPU_KVM_CLOCK);
}

/* ns = (ticks << shift) * mul >> 32, the shift such that mul keeps all its bits. */
static void set_rate(TimeInfo *info, uint64_t tsc_hz)
{
    uint64_t hz = tsc_hz;

    while (hz > 2 * CLOCK_NS_PER_SECOND) {
        hz >>= 1;
        info->tsc_shift--;
    }
    while (hz <= CLOCK_NS_PER_SECOND) {
        hz <<= 1;
        info->tsc_shift++;
    }
    unsigned left = info->tsc_shift > 0 ? (unsigned)info->tsc_shift : 0;
    unsigned right = info->tsc_shift < 0 ? (unsigned)-info->tsc_shift : 0;
    __uint128_t dividend = (__uint128_t)CLOCK_NS_PER_SECOND << (32 + right);
    info->tsc_to_system_mul = (uint32_t)(dividend / (tsc_hz << left));
}

/* Structures that cross a page, or lie askew, are not written: no guest asks for that. */
static bool is_sound(uint64_t gpa, uint64_t size)
{
    return gpa % 4 == 0 && gpa % RAM_PAGE_SIZE <= RAM_PAGE_SIZE - size;
}

/* Other vCPUs may read meanwhile: the version says so, and stores keep their order. */
static void publish(const CpuBoard *board, uint64_t gpa, uint32_t version, void *body, size_t size)
{
    uint32_t changing = version | 1, done = (version | 1) + 1;

    if (!is_sound(gpa, size) || !dma_write(board->memory, gpa, &changing, sizeof changing))
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    dma_write(board->memory, gpa + sizeof done, (uint8_t *)body + sizeof done, size - sizeof done);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    dma_write(board->memory, gpa, &done, sizeof done);
}

static void write_time_info(const CpuBoard *board, unsigned id)
{
    PvClockPage *page = &board->paravirt->clock[id];
    TimeInfo info = { .tsc_timestamp = page->zero, .flags = FLAG_TSC_STABLE };

    set_rate(&info, board->model.tsc_hz);
    publish(board, page->msr & ~(uint64_t)SYSTEM_TIME_ENABLED, page->version, &info, sizeof info);
    page->version += 2;
}

/* The time of day when the machine's clock was 0. */
static uint64_t power_on_time_ns(const CpuBoard *board)
{
    int64_t base_seconds = board->paravirt->base_seconds;

    return base_seconds == -1 ? (uint64_t)g_get_real_time() * 1000 - clock_now_ns(board->clock)
                              : (uint64_t)base_seconds * CLOCK_NS_PER_SECOND;
}

static void write_wall_clock(const CpuBoard *board)
{
    const Paravirt *pv = board->paravirt;
    uint64_t power_on_ns = power_on_time_ns(board);
    WallClock wall = { .seconds = (uint32_t)(power_on_ns / CLOCK_NS_PER_SECOND),
                       .nanoseconds = (uint32_t)(power_on_ns % CLOCK_NS_PER_SECOND) };
    uint32_t version = 0;

    dma_read(board->memory, pv->wall_clock, &version, sizeof version);
    publish(board, pv->wall_clock, version, &wall, sizeof wall);
}

bool pv_clock_read_msr(const CpuBoard *board, unsigned id, uint32_t msr, uint64_t *out_value)
{
    const Paravirt *pv = board->paravirt;
    bool is_wall = msr == MSR_WALL_CLOCK || msr == MSR_WALL_CLOCK_OLD;

    *out_value = is_wall ? pv->wall_clock : pv->clock[id].msr;
    return true;
}

bool pv_clock_write_msr(const CpuBoard *board, unsigned id, uint32_t msr, ParavirtTsc tsc,
                        uint64_t value)
{
    Paravirt *pv = board->paravirt;

    if (msr == MSR_WALL_CLOCK || msr == MSR_WALL_CLOCK_OLD) {
        pv->wall_clock = value;
        write_wall_clock(board);
        return true;
    }
    pv->clock[id].msr = value;
    pv->clock[id].zero = paravirt_zero(pv, tsc);
    if (value & SYSTEM_TIME_ENABLED)
        write_time_info(board, id);
    return true;
}

/* The time of day and the TSC of one moment: how a guest keeps the host's time. */
int64_t pv_clock_pair(const CpuBoard *board, ParavirtTsc tsc, uint64_t gpa, uint64_t type)
{
    uint64_t now_ns = power_on_time_ns(board) + clock_now_ns(board->clock);
    struct {
        int64_t seconds, nanoseconds;
        uint64_t tsc;
        uint32_t flags, padding[9];
    } pair = { (int64_t)(now_ns / CLOCK_NS_PER_SECOND), (int64_t)(now_ns % CLOCK_NS_PER_SECOND),
               .tsc = tsc.now };

    G_STATIC_ASSERT(sizeof pair == 64);
    if (type != CLOCK_PAIRING_WALL_CLOCK)
        return KVM_NOT_SUPPORTED;
    return dma_write(board->memory, gpa, &pair, sizeof pair) ? 0 : KVM_FAULT;
}

void pv_clock_set_tsc(const CpuBoard *board, unsigned id, ParavirtTsc tsc)
{
    PvClockPage *page = &board->paravirt->clock[id];
    uint64_t zero = paravirt_zero(board->paravirt, tsc);

    if (!(page->msr & SYSTEM_TIME_ENABLED) || page->zero == zero)
        return;
    page->zero = zero;
    write_time_info(board, id);
}
