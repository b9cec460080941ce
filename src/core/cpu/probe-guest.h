/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The guest that both CPUs run to be compared (probe-guest.S), and the host's side of its four
 * ports: what it computes is checked, how fast it goes is measured. Included by the probes of the
 * two backends. No locks: one thread an instance. */

#include <stdbool.h>
#include <stdint.h>

#define PROBE_RAM_SIZE 0x10000 /* bytes, from guest address 0 */
#define PROBE_ENTRY 0x1000     /* real mode, all segments 0 */
#define PROBE_SCRATCH 0xD000   /* a page that it writes to */

/* How far the guest came. Each ends with a value said at a port of 32 bits. */
typedef enum {
    PROBE_STAGE_REAL,
    PROBE_STAGE_PROTECTED,
    PROBE_STAGE_LONG,
    PROBE_STAGE_ROUNDS, /* of 64-bit kernel-mode work */
} ProbeStage;

typedef struct {
    ProbeStage stage;
    bool wrong;           /* something at @stage was not as it should be; all is over */
    bool finished;        /* enough was measured */
    double mips;          /* in its best stretch; 0: none yet */
    int64_t budget_ns;    /* how long to measure */
    int64_t began_ns;     /* the first stretch */
    int64_t stretch_ns;   /* this one began */
    uint32_t round_count; /* its length */
} ProbeGuest;

/* Fills in @ram, PROBE_RAM_SIZE zero bytes. */
void probe_guest_load(uint8_t *ram);
void probe_guest_init(ProbeGuest *guest, int64_t budget_ns);
/* The guest writes or reads a port of 32 bits. After @wrong or @finished it needs no answers any
 * more; read then gives 0, which makes it halt. */
void probe_guest_write(ProbeGuest *guest, uint16_t port, uint32_t value);
uint32_t probe_guest_read(ProbeGuest *guest, uint16_t port);
/* "real", "protected", "64-bit": the mode it is in. Static. */
const char *probe_guest_mode(const ProbeGuest *guest);

/* CLOCK_MONOTONIC in nanoseconds. */
int64_t probe_now_ns(void);
