/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/window-work.h"

Work *work_new(VitrineMachine *machine, const char *name)
{
    Work *work = g_new0(Work, 1);
    work->bundle = g_strdup(vitrine_machine_get_bundle(machine));
    work->name = g_strdup(name);
    return work;
}

static void work_free(gpointer data)
{
    Work *work = data;
    g_free(work->bundle);
    g_free(work->name);
    g_free(work->result);
    g_free(work);
}

void window_run(VitrineWindow *self, Work *work, GTaskThreadFunc thread, GAsyncReadyCallback done)
{
    g_autoptr(GTask) task =
        g_task_new(self, work->job ? job_get_cancellable(work->job) : NULL, done, NULL);
    g_task_set_check_cancellable(task, FALSE); /* what was made is kept */
    g_task_set_task_data(task, work, work_free);
    g_task_run_in_thread(task, thread);
}

bool window_finish(VitrineWindow *self, GAsyncResult *result, const char *what)
{
    g_autoptr(GError) error = NULL;
    vitrine_library_refresh(self->library);
    if (g_task_propagate_boolean(G_TASK(result), &error))
        return true;
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        window_alert(self, what, error->message);
    return false;
}
