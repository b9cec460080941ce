/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/probe-guest.h"
#include <glib.h>
#include <string.h>
#include <time.h>

#define PML4 0x9000
#define PRESENT_WRITABLE 3
#define LARGE_PAGE 0x80

#define ROUND_INSTRUCTIONS 11
#define ROUND_SUM 7
#define FIRST_ROUNDS 32         /* what a CPU of 0.4 MIPS does in a millisecond */
#define LEAST_STRETCH_NS 500000 /* longer than its two exits by far, shorter than a time slice */
#define MAX_ROUNDS (UINT32_C(1) << 24)

extern const uint8_t probe_guest_image[], probe_guest_image_end[];

/* What probe-guest.S says at each stage; tests/core/cpu/probe-test.c has the arithmetic. */
static const struct {
    uint16_t port;
    uint32_t value;
} stages[] = {
    [PROBE_STAGE_REAL] = { 0xE0, 0x03E2BBE3 },
    [PROBE_STAGE_PROTECTED] = { 0xE4, 0x03A0BDFE },
    [PROBE_STAGE_LONG] = { 0xE8, 0x3DF11601 },
    [PROBE_STAGE_ROUNDS] = { 0xEC, 0 },
};

int64_t probe_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

void probe_guest_load(uint8_t *ram)
{
    const uint64_t tables[] = { (PML4 + 0x1000) | PRESENT_WRITABLE,
                                (PML4 + 0x2000) | PRESENT_WRITABLE, PRESENT_WRITABLE | LARGE_PAGE };
    memcpy(ram + PROBE_ENTRY, probe_guest_image, probe_guest_image_end - probe_guest_image);
    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++)
        memcpy(ram + PML4 + 0x1000 * i, &tables[i], sizeof(tables[i]));
}

void probe_guest_init(ProbeGuest *guest, int64_t budget_ns)
{
    *guest = (ProbeGuest){ .budget_ns = budget_ns };
}

static void end_stretch(ProbeGuest *guest, uint32_t sum)
{
    int64_t now = probe_now_ns(), took = MAX(now - guest->stretch_ns, 1);
    double mips = guest->round_count * (double)ROUND_INSTRUCTIONS * 1000 / took;
    if (guest->round_count == 0 || sum != guest->round_count * ROUND_SUM) {
        guest->wrong = true;
        return;
    }
    guest->mips = MAX(guest->mips, mips);
    guest->finished = took >= LEAST_STRETCH_NS && now - guest->began_ns >= guest->budget_ns;
    if (took < LEAST_STRETCH_NS)
        guest->round_count = MIN(guest->round_count * 4, MAX_ROUNDS);
}

void probe_guest_write(ProbeGuest *guest, uint16_t port, uint32_t value)
{
    if (port != stages[guest->stage].port)
        guest->wrong = true;
    else if (guest->stage == PROBE_STAGE_ROUNDS)
        end_stretch(guest, value);
    else if (value != stages[guest->stage].value)
        guest->wrong = true;
    else
        guest->stage++;
}

uint32_t probe_guest_read(ProbeGuest *guest, uint16_t port)
{
    if (guest->stage != PROBE_STAGE_ROUNDS || port != stages[PROBE_STAGE_ROUNDS].port)
        guest->wrong = true;
    if (guest->wrong || guest->finished)
        return 0;
    guest->stretch_ns = probe_now_ns();
    if (guest->round_count == 0) {
        guest->round_count = FIRST_ROUNDS;
        guest->began_ns = guest->stretch_ns;
    }
    return guest->round_count;
}

const char *probe_guest_mode(const ProbeGuest *guest)
{
    static const char *const modes[] = { "real", "protected", "64-bit", "64-bit" };
    return modes[guest->stage];
}
