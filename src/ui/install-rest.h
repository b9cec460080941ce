/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* When an installation has come to rest: it kept the machine busy, and now nothing happens any
 * more. It is done, or asks something. Decides from what the engine counts, knows no clock of its
 * own. Included by install-watch.c. */

#include <stdbool.h>
#include <stdint.h>

/* What org.vitrine.Machine1.Stats says at one moment. */
typedef struct {
    double seconds; /* of the guest's time */
    double cpu_seconds;
    uint64_t read_bytes, written_bytes; /* of all drives */
    uint64_t screen;                    /* differs when its picture does; 0: not known */
} InstallSample;

/* Whether the machine began with empty disks, which take @allocated_bytes on the host now: one that
 * has a system already, and its disc still in the drive, does not install. */
bool install_began_empty(uint64_t allocated_bytes, const InstallSample *now);

typedef struct {
    InstallSample last;
    bool begun;                 /* there is a last one */
    double worked, idle, still; /* seconds */
    bool rests;
} InstallRest;

typedef enum { INSTALL_UNCHANGED, INSTALL_RESTS, INSTALL_GOES_ON } InstallChange;

/* Takes the next sample; zeroed, @self is a machine that just started. Rests once each time that at
 * least a minute's work (disk writes and processor) was followed by
 * - 20 seconds with neither disk nor processor: a guest that waits with a halted processor, or
 * - five minutes without disk in which the screen stood still, however busy the processor is: a
 *   boot menu, a text setup, a DOS, which ask the keyboard in a loop.
 * Packing an initramfs looks like the second, but moves the disk or a progress bar within five
 * minutes on KVM; on the software CPU it may be told of too early, which costs a glance. A clock or
 * a caret that blinks in a graphics mode hides the second kind. */
InstallChange install_rest_feed(InstallRest *self, const InstallSample *now);
