/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Work that runs as a GTask. For all. */

#include <gio/gio.h>
#include <stdbool.h>

/* Ends @task with TRUE when @good, else with *@error, which it takes. A pointer, so that the call
 * that sets the error can stand among the arguments: task_return_outcome(task, work(&error),
 * &error).
 */
void task_return_outcome(GTask *task, bool good, GError **error);
