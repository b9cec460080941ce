/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/machine/cpu-slice.h"

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The default is 3 ms. A switch costs two or three microseconds, and only where cores are short. */
#define SLICE_NS 200000

/* sched_setattr(2), first version; the C library has no call for it, and its headers and the
 * kernel's do not go together. */
typedef struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} SchedAttr;

void cpu_slice_shorten(void)
{
    SchedAttr attr = { .size = sizeof attr };

    if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) || attr.policy != SCHED_OTHER)
        return;
    attr.runtime = SLICE_NS; /* of this policy: what slice is wished for */
    (void)syscall(SYS_sched_setattr, 0, &attr, 0);
}
