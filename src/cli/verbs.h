/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* vitrinectl's verbs: one file a verb and one row in main.c's table; and what they share. */

#include "base/errors.h"
#include "client/client.h"
#include <stdio.h>

/* @argv[0] is the verb. False and @error: the exit code follows from the error. */
typedef bool (*VerbRun)(int argc, char **argv, GError **error);

typedef struct {
    const char *name;
    const char *arguments; /* as in a usage line */
    const char *summary;
    VerbRun run;
} Verb;

bool verb_click(int argc, char **argv, GError **error);
bool verb_clone(int argc, char **argv, GError **error);
bool verb_console(int argc, char **argv, GError **error);
bool verb_create(int argc, char **argv, GError **error);
bool verb_delete(int argc, char **argv, GError **error);
bool verb_doctor(int argc, char **argv, GError **error);
bool verb_eject_insert(int argc, char **argv, GError **error);
bool verb_info(int argc, char **argv, GError **error);
bool verb_list(int argc, char **argv, GError **error);
bool verb_log(int argc, char **argv, GError **error);
bool verb_pause(int argc, char **argv, GError **error);
bool verb_rename(int argc, char **argv, GError **error);
bool verb_reset(int argc, char **argv, GError **error);
bool verb_resume(int argc, char **argv, GError **error);
bool verb_screenshot(int argc, char **argv, GError **error);
bool verb_sendkey(int argc, char **argv, GError **error);
bool verb_set(int argc, char **argv, GError **error);
bool verb_start(int argc, char **argv, GError **error);
bool verb_stats(int argc, char **argv, GError **error);
bool verb_stop(int argc, char **argv, GError **error);
bool verb_text(int argc, char **argv, GError **error);
bool verb_type(int argc, char **argv, GError **error);
bool verb_wait(int argc, char **argv, GError **error);

/* Takes @entries' options out of @argv and checks that @min to @max operands are left (max -1: any
 * number), which follow the verb in *@argv. Usage errors otherwise. Knows --help. */
bool verb_parse(int *argc, char ***argv, const GOptionEntry *entries, int min, int max,
                GError **error);
bool usage_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The machine, or NULL and @error; damaged ones are refused with what is damaged. */
ClientMachine *verb_find(const char *spec, GError **error);
/* The same and a connection to its engine: APP_ERROR_WRONG_STATE when it does not run. @out_machine
 * may be NULL. */
VitrineDBusMachine1 *verb_connect(const char *spec, ClientMachine **out_machine, GError **error);
/* A value that the schema refuses is a wrong command line. Returns @good. */
bool verb_usage(bool good, GError **error);
/* Takes D-Bus's wrapping off an engine's error. For the end of a verb: returns @good. */
bool verb_done(bool good, GError **error);
/* A line of a table for people: @label, filled up to @width columns of the terminal, and @text. */
void verb_print_row(int width, const char *label, const char *text);
