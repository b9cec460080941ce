/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/drop-plan.h"
#include "model/bundle.h"
#include "model/medium.h"
#include <glib/gi18n.h>
#include <string.h>

static DropPlan *plan_new(DropKind kind, GPtrArray *paths, char *words)
{
    DropPlan *plan = g_new(DropPlan, 1);
    *plan = (DropPlan){ kind, g_ptr_array_ref(paths), words };
    return plan;
}

void drop_plan_free(DropPlan *plan)
{
    if (!plan)
        return;
    g_ptr_array_unref(plan->paths);
    g_free(plan->words);
    g_free(plan);
}

static char *dup_shown_name(const char *path)
{
    g_autofree char *base = g_path_get_basename(path);
    return g_filename_display_name(base);
}

static bool all_are_bundles(GPtrArray *paths)
{
    for (guint i = 0; i < paths->len; i++)
        if (!bundle_is_bundle(paths->pdata[i]))
            return false;
    return paths->len > 0;
}

static DropPlan *plan_open(GPtrArray *paths)
{
    g_autofree char *name = bundle_dup_name_of_folder(paths->pdata[0]);
    return plan_new(DROP_OPEN, paths,
                    paths->len == 1
                        ? g_strdup_printf(_("Drop to open “%s”"), name)
                        : g_strdup_printf(ngettext("Drop to add %u machine",
                                                   "Drop to add %u machines", paths->len),
                                          paths->len));
}

static DropPlan *plan_disc(GPtrArray *paths, const char *running, DiscOnRunning policy)
{
    g_autofree char *name = dup_shown_name(paths->pdata[0]);
    if (policy == DISC_ON_RUNNING_INSERT)
        return plan_new(DROP_INSERT, paths,
                        g_strdup_printf(_("Drop to insert “%s” into “%s”"), name, running));
    if (policy == DISC_ON_RUNNING_NEW)
        return plan_new(DROP_CREATE, paths,
                        g_strdup_printf(_("Drop to begin a new machine with “%s”"), name));
    return plan_new(
        DROP_ASK, paths,
        g_strdup_printf(_("Drop to insert “%s” into “%s”, or to begin a new machine with it"), name,
                        running));
}

/* The first sector of any file may end like a boot sector: a name must say that it is a disk. */
static bool is_disk_for_sure(const Medium *medium, const char *path)
{
    static const char *const suffixes[] = { ".img", ".raw", ".dd", ".vfd", ".ima", NULL };
    g_autofree char *folded = g_ascii_strdown(path, -1);
    for (unsigned i = 0; suffixes[i]; i++)
        if (g_str_has_suffix(folded, suffixes[i]))
            return true;
    return strcmp(medium->format, "raw") != 0;
}

static DropPlan *plan_on_running(GPtrArray *paths, const char *running, DiscOnRunning policy)
{
    g_autoptr(Medium) medium = paths->len == 1 ? medium_identify(paths->pdata[0], NULL) : NULL;
    if (medium && medium->kind == MEDIUM_DISC)
        return plan_disc(paths, running, policy);
    g_autofree char *name = dup_shown_name(paths->pdata[0]);
    if (medium && is_disk_for_sure(medium, paths->pdata[0]))
        return plan_new(DROP_CREATE, paths,
                        g_strdup_printf(_("Drop to make a machine around the disk “%s”"), name));
    if (paths->len == 1)
        return plan_new(
            DROP_FILES, paths,
            g_strdup_printf(_("Drop to give “%s” a disc with “%s” on it"), running, name));
    return plan_new(DROP_FILES, paths,
                    g_strdup_printf(ngettext("Drop to give “%s” a disc with this %u file or folder",
                                             "Drop to give “%s” a disc with these %u files and "
                                             "folders",
                                             paths->len),
                                    running, paths->len));
}

static DropPlan *plan_create(GPtrArray *paths)
{
    g_autofree char *name = dup_shown_name(paths->pdata[0]);
    g_autoptr(Medium) medium = medium_identify(paths->pdata[0], NULL);
    char *words = !medium
                      ? g_strdup_printf(_("“%s” is no disc and no disk that Vitrine can use"), name)
                  : medium->kind == MEDIUM_DISC
                      ? g_strdup_printf(_("Drop to begin a new machine with “%s”"), name)
                      : g_strdup_printf(_("Drop to make a machine around the disk “%s”"), name);
    return plan_new(DROP_CREATE, paths, words);
}

/* Of several files the one that can be used, when there is only one: an ISO came with its
 * checksums. Of many thousand nobody means that. */
#define MAX_LOOKED_AT 50

static DropPlan *plan_one_of(GPtrArray *paths)
{
    g_autoptr(GPtrArray) usable = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; paths->len <= MAX_LOOKED_AT && i < paths->len; i++) {
        g_autoptr(Medium) medium = medium_identify(paths->pdata[i], NULL);
        if (medium)
            g_ptr_array_add(usable, g_strdup(paths->pdata[i]));
    }
    if (usable->len == 1)
        return plan_create(usable);
    return plan_new(DROP_NOTHING, paths,
                    g_strdup(usable->len > 1
                                 ? _("One disc or disk at a time begins a new machine")
                                 : _("None of these is a disc or a disk. Files can be dropped on a "
                                     "machine that runs")));
}

DropPlan *drop_plan_new(GPtrArray *paths, const char *running, DiscOnRunning policy)
{
    if (paths->len == 0)
        return plan_new(
            DROP_NOTHING, paths,
            g_strdup(_("Only files on this computer can be used. Copy them here first")));
    if (all_are_bundles(paths))
        return plan_open(paths);
    if (running)
        return plan_on_running(paths, running, policy);
    return paths->len == 1 ? plan_create(paths) : plan_one_of(paths);
}
