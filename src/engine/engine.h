/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* One running machine with all that belongs to it, from a bundle to its end. The main loop's; what
 * other threads report is brought there first. */

#include "core/machine/machine.h"
#include "engine/display.h"
#include "engine/serial-log.h"
#include "engine/text-watch.h"
#include "engine/typist.h"
#include "model/bundle.h"
#include "model/stop-record.h"

typedef struct {
    bool paused, disposable;
} EngineOptions;

typedef struct Server Server;                 /* engine/server.h */
typedef struct MachineObject MachineObject;   /* engine/machine-object.h */
typedef struct DisplayObjects DisplayObjects; /* engine/display-objects.h */

typedef struct Engine {
    GMainLoop *loop; /* borrowed; quit when the machine is off */
    EngineOptions options;
    char *bundle; /* absolute */
    Definition *definition;
    int lock_fd; /* on the bundle; held as long as we live */
    int64_t started_at;
    const char *cpu_backend; /* "software", "kvm" */
    char *cpu_reason;

    /* Owned; NULL before start and after the end. */
    Machine *machine;
    Display *display;
    SerialLog *serial;
    Typist *typist;
    TextWatch *watch;
    MachineObject *object;
    DisplayObjects *display_objects;
    Server *server;

    GQueue events; /* of MachineEvent, under events_lock */
    GMutex events_lock;
    guint off_timer; /* after the power button was pressed for SIGTERM */
    int64_t thumbnail_at;
    unsigned n_triple_faults; /* as last told */
    StopRecord stop;          /* why it stopped, or is stopped now */
    bool ending, has_traces;
} Engine;

/* Locks and reads the bundle, builds the machine, serves its socket, powers on. NULL and @error: as
 * the user should read it; nothing stays behind. */
Engine *engine_new(const char *bundle, const EngineOptions *options, GMainLoop *loop,
                   GError **error);
/* Ends the machine if it still runs, writes all disks, and takes our traces off. */
void engine_free(Engine *engine);

/* The machine goes off and the engine ends: @reason is left in the bundle (unless a problem had
 * stopped the machine already: then that), state "off" is told to clients, the loop is quit. @ended
 * (may be NULL) is called between, while clients still listen. */
void engine_end(Engine *engine, StopReason reason, void (*ended)(gpointer opaque), gpointer opaque);
/* The process ends next, without the machine, which does not come to rest: takes our traces off,
 * leaves in the bundle why, calls @last_words (may be NULL) while clients still listen. A thread of
 * its own. */
void engine_vanish(Engine *engine, void (*last_words)(gpointer opaque), gpointer opaque);
/* SIGTERM: the power button first; off for good after a while, or when asked again. */
void engine_ask_to_end(Engine *engine);

/* Brings engine->stop up to date with what stopped the machine by itself, if anything did; logs it
 * once. */
void engine_note_problem(Engine *engine);
/* Writes the bundle's thumbnail unless that was done less than a second ago, or takes it away when
 * the definition, as it is now, wants none. */
void engine_update_thumbnail(Engine *engine);
