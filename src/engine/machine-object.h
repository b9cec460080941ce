/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* org.vitrine.Machine1 on an engine. Main thread. */

#include "engine/engine.h"
#include <gio/gio.h>

MachineObject *machine_object_new(Engine *engine);
void machine_object_free(MachineObject *object);
GDBusInterfaceSkeleton *machine_object_skeleton(MachineObject *object);

/* Tells clients what the machine says of itself now. */
void machine_object_sync_state(MachineObject *object);
void machine_object_sync_media(MachineObject *object);
/* Another CPU runs the machine; it may have left the one before by itself. */
void machine_object_sync_cpu(MachineObject *object);
void machine_object_tell_reset(MachineObject *object);
/* The machine is gone: state off. Open calls were answered before. */
void machine_object_tell_off(MachineObject *object);
