/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/damage.h"
#include <stdint.h>

static bool rect_touches(const VitrineRect *a, const VitrineRect *b)
{
    return a->x <= b->x + b->width && b->x <= a->x + a->width && a->y <= b->y + b->height &&
           b->y <= a->y + a->height;
}

static int min(int a, int b)
{
    return a < b ? a : b;
}

static int max(int a, int b)
{
    return a > b ? a : b;
}

static VitrineRect rect_union(const VitrineRect *a, const VitrineRect *b)
{
    int x = min(a->x, b->x), y = min(a->y, b->y);
    return (VitrineRect){ x, y, max(a->x + a->width, b->x + b->width) - x,
                          max(a->y + a->height, b->y + b->height) - y };
}

static int64_t rect_area(const VitrineRect *rect)
{
    return (int64_t)rect->width * rect->height;
}

/* The one that grows least when @rect joins it. */
static unsigned damage_nearest(const Damage *damage, const VitrineRect *rect)
{
    unsigned best = 0;
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < damage->n_rects; i++) {
        VitrineRect joined = rect_union(&damage->rects[i], rect);
        int64_t growth = rect_area(&joined) - rect_area(&damage->rects[i]);
        if (growth < least) {
            least = growth;
            best = i;
        }
    }
    return best;
}

static VitrineRect damage_take(Damage *damage, unsigned i)
{
    VitrineRect rect = damage->rects[i];
    damage->rects[i] = damage->rects[--damage->n_rects];
    return rect;
}

void damage_add(Damage *damage, const VitrineRect *rect)
{
    VitrineRect grown = *rect;
    if (damage->all || rect->width <= 0 || rect->height <= 0)
        return;
    for (unsigned i = 0; i < damage->n_rects;) {
        if (rect_touches(&damage->rects[i], &grown)) {
            VitrineRect other = damage_take(damage, i);
            grown = rect_union(&grown, &other);
            i = 0; /* it may touch earlier ones now */
        } else {
            i++;
        }
    }
    if (damage->n_rects == DAMAGE_MAX_RECTS) {
        VitrineRect other = damage_take(damage, damage_nearest(damage, &grown));
        grown = rect_union(&grown, &other);
        damage_add(damage, &grown); /* there is room now */
        return;
    }
    damage->rects[damage->n_rects++] = grown;
}

void damage_add_all(Damage *damage)
{
    damage->all = true;
    damage->n_rects = 0;
}

bool damage_is_empty(const Damage *damage)
{
    return !damage->all && damage->n_rects == 0;
}

void damage_clear(Damage *damage)
{
    damage->all = false;
    damage->n_rects = 0;
}
