/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* A frame's picture as an OpenGL texture: what changed is uploaded straight from the engine's
 * framebuffer. Needs libepoxy and a current context of OpenGL 3.2 or OpenGL ES 3; included by the
 * app's GL presenter and by vitrine-view. */

#include "display/damage.h"
#include "display/frame.h"
#include <stdbool.h>

typedef struct GlPicture GlPicture;

/* NULL, and a warning, when the driver cannot compile ten lines. */
GlPicture *gl_picture_new(bool gles);
/* With the same context current as at all other times. */
void gl_picture_free(GlPicture *picture);
/* Brings the texture up to date and clears @damage; all of it where the size is another. False when
 * there is no picture, or none that this driver can hold. */
bool gl_picture_upload(GlPicture *picture, VitrineFrame *frame, Damage *damage);
/* Fills the current viewport. @flipped: row 0 of the guest is row 0 of the target, as in a texture
 * that GTK takes; else it is the top of a window. */
void gl_picture_draw(GlPicture *picture, bool nearest, bool flipped);
