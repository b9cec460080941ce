/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "base/task.h"

void task_return_outcome(GTask *task, bool good, GError **error)
{
    if (good)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, g_steal_pointer(error));
}
