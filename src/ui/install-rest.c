/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/install-rest.h"

#define WORK_SECONDS 60
#define IDLE_SECONDS 20
#define STILL_SECONDS 300
#define QUIET_BYTES 16384                 /* a second: a log line now and then is no work */
#define EMPTY_BYTES (UINT64_C(256) << 20) /* tables, and what a try at installing left */
#define IDLE_CPU 0.15                     /* of one processor: a clock on the screen is no work */

bool install_began_empty(uint64_t allocated_bytes, const InstallSample *now)
{
    return allocated_bytes < now->written_bytes + EMPTY_BYTES;
}

/* The engine was started anew, or its guest's time stood still. */
static bool is_continued(const InstallSample *before, const InstallSample *now)
{
    return now->seconds > before->seconds && now->cpu_seconds >= before->cpu_seconds &&
           now->read_bytes >= before->read_bytes && now->written_bytes >= before->written_bytes;
}

InstallChange install_rest_feed(InstallRest *self, const InstallSample *now)
{
    InstallSample before = self->last;
    bool continued = self->begun && is_continued(&before, now);
    self->last = *now;
    self->begun = true;
    if (!continued)
        return INSTALL_UNCHANGED;

    double seconds = now->seconds - before.seconds;
    double written = (double)(now->written_bytes - before.written_bytes) / seconds;
    double moved = written + (double)(now->read_bytes - before.read_bytes) / seconds;
    bool quiet = moved < QUIET_BYTES;
    bool idle = (now->cpu_seconds - before.cpu_seconds) / seconds < IDLE_CPU;
    bool works = written >= QUIET_BYTES && !idle;
    self->worked += works ? seconds : 0;
    self->idle = quiet && idle ? self->idle + seconds : 0;
    bool still = quiet && now->screen != 0 && now->screen == before.screen;
    self->still = still ? self->still + seconds : 0;

    if (self->rests) {
        self->rests = !works;
        return works ? INSTALL_GOES_ON : INSTALL_UNCHANGED;
    }
    if (self->idle < IDLE_SECONDS && self->still < STILL_SECONDS)
        return INSTALL_UNCHANGED;
    self->rests = self->worked >= WORK_SECONDS;
    self->worked = 0;
    return self->rests ? INSTALL_RESTS : INSTALL_UNCHANGED;
}
