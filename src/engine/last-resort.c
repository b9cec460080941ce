/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/last-resort.h"
#include "base/errors.h"
#include <unistd.h>

#define LOOK_MS 100

struct LastResort {
    Engine *engine;
    GThread *thread;
    unsigned patience_ms;
    void (*last_words)(gpointer opaque);
    gpointer opaque;
    GMutex lock;
    GCond changed;
    bool rests; /* lock */
};

static void end_process(LastResort *watch)
{
    Engine *engine = watch->engine;

    g_warning("KVM does not give a virtual CPU of this machine back. Its disks are written out and "
              "the engine ends.");
    if (!machine_abandon(engine->machine))
        g_warning("Not all disks could be written out");
    engine_vanish(engine, watch->last_words, watch->opaque);
    _exit(EXIT_OK);
}

/* Patience is counted in looks, not by the clock: a computer that slept, or a process that was
 * stopped, has not let it pass. */
static gpointer keep_watch(gpointer data)
{
    LastResort *watch = data;
    bool for_good = watch->patience_ms == LAST_RESORT_FORCED_MS;
    unsigned waited_ms = 0;

    g_mutex_lock(&watch->lock);
    while (!watch->rests) {
        gint64 end = g_get_monotonic_time() + LOOK_MS * 1000;
        if (g_cond_wait_until(&watch->changed, &watch->lock, end))
            continue;
        waited_ms = machine_is_stuck(watch->engine->machine, for_good) ? waited_ms + LOOK_MS : 0;
        if (waited_ms >= watch->patience_ms)
            end_process(watch);
    }
    g_mutex_unlock(&watch->lock);
    return NULL;
}

LastResort *last_resort_begin(Engine *engine, unsigned patience_ms,
                              void (*last_words)(gpointer opaque), gpointer opaque)
{
    LastResort *watch = g_new0(LastResort, 1);

    watch->engine = engine;
    watch->patience_ms = patience_ms;
    watch->last_words = last_words;
    watch->opaque = opaque;
    g_mutex_init(&watch->lock);
    g_cond_init(&watch->changed);
    watch->thread = g_thread_new("last-resort", keep_watch, watch);
    return watch;
}

void last_resort_end(LastResort *watch)
{
    g_mutex_lock(&watch->lock);
    watch->rests = true;
    g_cond_signal(&watch->changed);
    g_mutex_unlock(&watch->lock);
    g_thread_join(watch->thread);
    g_mutex_clear(&watch->lock);
    g_cond_clear(&watch->changed);
    g_free(watch);
}
