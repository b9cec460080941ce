/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* What the files of org.vitrine.Machine1 share: machine-object.c (life, media, what clients are
 * told), -cpu.c, -input.c (screen, keyboard, mouse), -console.c (serial port, waiting), -stats.c.
 */

#include "base/errors.h"
#include "dbus-machine.h"
#include "engine/machine-object.h"
#include <gio/gunixfdlist.h>

struct MachineObject {
    Engine *engine; /* borrowed */
    VitrineDBusMachine1 *dbus;
    char **media; /* as last told, a drive each; owned */
    /* For instructions-per-second. */
    gint64 rate_time;
    uint64_t rate_instructions;
};

/* Answers with one of our errors, in words for the user. True: handled. */
gboolean machine_object_refuse(GDBusMethodInvocation *invocation, AppError code, const char *format,
                               ...) G_GNUC_PRINTF(3, 4);
/* Host errors get one of our names, so that no client has to know GIO's. */
void machine_object_return_error(GDBusMethodInvocation *invocation, const GError *error);
/* Refuses when the machine does not run: @refusal is what it cannot, in the user's language. */
bool machine_object_check_runs(MachineObject *object, GDBusMethodInvocation *invocation,
                               const char *refusal);

/* Handlers of methods. */
gboolean machine_object_on_set_cpu(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                   const char *choice, MachineObject *object);
gboolean machine_object_on_screenshot(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                      GUnixFDList *fds, MachineObject *object);
gboolean machine_object_on_update_thumbnail(VitrineDBusMachine1 *dbus,
                                            GDBusMethodInvocation *invocation,
                                            MachineObject *object);
gboolean machine_object_on_text(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                MachineObject *object);
gboolean machine_object_on_type_text(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                     const char *text, MachineObject *object);
gboolean machine_object_on_type_keys(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                     GVariant *keys, MachineObject *object);
gboolean machine_object_on_send_keys(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                     const char *const *chords, MachineObject *object);
gboolean machine_object_on_click(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                 unsigned x, unsigned y, unsigned button, MachineObject *object);
gboolean machine_object_on_console_open(VitrineDBusMachine1 *dbus,
                                        GDBusMethodInvocation *invocation, GUnixFDList *in_fds,
                                        MachineObject *object);
gboolean machine_object_on_wait_for_text(VitrineDBusMachine1 *dbus,
                                         GDBusMethodInvocation *invocation, const char *regex,
                                         unsigned timeout_ms, MachineObject *object);
gboolean machine_object_on_stats(VitrineDBusMachine1 *dbus, GDBusMethodInvocation *invocation,
                                 MachineObject *object);
