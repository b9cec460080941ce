/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* org.qemu.Display1: VM, Console, Keyboard and Mouse on an engine. Main thread. */

#include "engine/engine.h"
#include "engine/server.h"

#define DISPLAY_OBJECTS_COUNT 4

DisplayObjects *display_objects_new(Engine *engine);
void display_objects_free(DisplayObjects *objects);
/* Fills @out with DISPLAY_OBJECTS_COUNT entries. */
void display_objects_list(DisplayObjects *objects, ServerObject *out);
void display_objects_set_size(DisplayObjects *objects, unsigned width, unsigned height);
