/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What of a picture has changed since it was last drawn: a few rectangles that grow together. Pure;
 * included by the presenters and by vitrine-view. */

#include <stdbool.h>

typedef struct {
    int x, y, width, height;
} VitrineRect;

#define DAMAGE_MAX_RECTS 16

typedef struct {
    VitrineRect rects[DAMAGE_MAX_RECTS];
    unsigned n_rects;
    bool all; /* the rectangles do not matter */
} Damage;

/* Rectangles that touch become one, also when there are too many. Empty ones are left out. */
void damage_add(Damage *damage, const VitrineRect *rect);
void damage_add_all(Damage *damage);
bool damage_is_empty(const Damage *damage);
void damage_clear(Damage *damage);
