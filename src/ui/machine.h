/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* One machine as the app shows it: what its bundle says, what it is doing now, and the connection
 * to its engine while there is one. Widgets bind to the properties. Main thread; slow work is done
 * in GTasks. Included by the library and all widgets that show a machine. */

#include "client/client.h"
#include "display/frame.h"
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_MACHINE (vitrine_machine_get_type())
G_DECLARE_FINAL_TYPE(VitrineMachine, vitrine_machine, VITRINE, MACHINE, GObject)

/* Properties, all read-only, with notify: "name" (string), "state" (ClientState as int),
 * "state-text" (string, translated), "problem" (string: why it stopped or failed; empty),
 * "cpu-text" (string for the header badge: "Software CPU"; empty when off), "cpu-reason" (string),
 * "live" (boolean: an engine runs), "thumbnail" (GdkPaintable or NULL), "pointer-absolute"
 * (boolean). Signals: "failed" (char *what, GError *error): something asked of it did not work; for
 * a dialog. */

/* Takes @client's place; called with what the client library found. */
VitrineMachine *vitrine_machine_new(const ClientMachine *client);
/* Brings name, state and problem up to date, and connects or disconnects. */
void vitrine_machine_update(VitrineMachine *self, const ClientMachine *client);

const char *vitrine_machine_get_bundle(VitrineMachine *self);
const char *vitrine_machine_get_name(VitrineMachine *self);
const char *vitrine_machine_get_uuid(VitrineMachine *self);
ClientState vitrine_machine_get_state(VitrineMachine *self);
const char *vitrine_machine_get_problem(VitrineMachine *self);
/* NULL while no engine runs. Borrowed. */
VitrineDBusMachine1 *vitrine_machine_get_proxy(VitrineMachine *self);
GDBusConnection *vitrine_machine_get_connection(VitrineMachine *self);

/* Its definition cannot be read: "problem" says why; nothing can be done with it but to delete it.
 */
bool vitrine_machine_is_damaged(VitrineMachine *self);
/* It was opened from a place where it is not any more. Damaged, too. */
bool vitrine_machine_is_missing(VitrineMachine *self);
/* An engine runs, or is said to. */
bool vitrine_machine_is_live(VitrineMachine *self);
/* Unix time; 0: never. */
int64_t vitrine_machine_get_last_used(VitrineMachine *self);
/* Whether its definition lets the library show its screen. */
bool vitrine_machine_shows_thumbnail(VitrineMachine *self);

/* Whether it is off and its definition can be read; whether an engine is on its way. */
bool vitrine_machine_can_start(VitrineMachine *self);
bool vitrine_machine_is_starting(VitrineMachine *self);

/* Each reports a failure through "failed". */
void vitrine_machine_start(VitrineMachine *self);
void vitrine_machine_pause(VitrineMachine *self);
void vitrine_machine_resume(VitrineMachine *self);
void vitrine_machine_reset(VitrineMachine *self);
void vitrine_machine_press_power(VitrineMachine *self);
void vitrine_machine_force_off(VitrineMachine *self);
/* "auto", "kvm" or "software": a running machine goes on with the CPU that comes of it. */
void vitrine_machine_set_cpu(VitrineMachine *self, const char *choice);
/* Into the first disc drive; of a machine that is off, in its definition. */
void vitrine_machine_insert(VitrineMachine *self, const char *path);
void vitrine_machine_eject(VitrineMachine *self);
/* Of a running machine: the number of the disc drive that a disc of files best goes into, or -1.
 * @out_disc: what is in it and would have to go, or NULL when it is empty or has such a disc. */
int vitrine_machine_find_disc_drive(VitrineMachine *self, char **out_disc);
void vitrine_machine_insert_into(VitrineMachine *self, int drive, const char *path);
void vitrine_machine_send_keys(VitrineMachine *self, const char *chord);
/* Loads thumbnail.png, if nobody has yet in that sharpness: for the tile that is about to show it.
 * @scale: its device pixels a pixel. */
void vitrine_machine_want_thumbnail(VitrineMachine *self, int scale);
/* Loads thumbnail.png again; asks a running engine for a new one first. */
void vitrine_machine_refresh_thumbnail(VitrineMachine *self);

G_END_DECLS
