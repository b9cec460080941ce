/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Why a machine stopped, as its engine leaves it in the bundle (key file last-stop) and says it on
 * the wire (StopReason, StopSubject). Words for people are the front ends' business, in their
 * language: client/stop-words.h. Included by the engine and all front ends. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define BUNDLE_LAST_STOP "last-stop"

typedef enum {
    STOP_NONE,      /* it has not stopped, or never ran */
    STOP_GUEST,     /* the guest turned the machine off */
    STOP_USER,      /* somebody pulled the plug */
    STOP_HOST,      /* this computer asked: shutdown, end of the session */
    STOP_DISK_FULL, /* no room for a disk image; subject: its path */
    STOP_DISK,      /* a disk image could not be written; subject: its path */
    STOP_CPU,       /* the processor cannot go on; subject: what it met */
    STOP_BUG,       /* the engine crashed; subject: the signal's name */
    STOP_KILLED,    /* the engine went without a word */
    STOP_N_REASONS
} StopReason;

typedef struct {
    StopReason reason;
    char *subject; /* owned; NULL: nothing to add */
    int64_t time;  /* Unix seconds; 0: not known */
    /* How often the guest's processor gave up (triple fault) before, which resets a machine. */
    unsigned n_triple_faults;
} StopRecord;

/* "guest", "disk-full" …; "" for none. */
const char *stop_reason_name(StopReason reason);
/* STOP_NONE for an unknown word. */
StopReason stop_reason_parse(const char *name);

void stop_record_clear(StopRecord *record);
bool stop_record_save(const char *bundle, const StopRecord *record, GError **error);
/* False, and an empty record, when there is none that can be read. */
bool stop_record_load(const char *bundle, StopRecord *out_record);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StopRecord, stop_record_clear)
