/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "client/stop-words.h"
#include "model/bundle.h"
#include <glib/gi18n.h>

static const char *subject_of(const StopRecord *record)
{
    return record->subject && record->subject[0] ? record->subject : "?";
}

char *stop_dup_words(const StopRecord *record)
{
    switch (record->reason) {
    case STOP_GUEST: return g_strdup(_("The guest turned the machine off."));
    case STOP_USER: return g_strdup(_("It was forced off."));
    case STOP_HOST: return g_strdup(_("It was ended with this computer or its session."));
    case STOP_DISK_FULL:
        return g_strdup_printf(
            _("There is no room on this computer for what the guest writes to “%s”."),
            subject_of(record));
    case STOP_DISK:
        return g_strdup_printf(_("The disk image “%s” could not be written."), subject_of(record));
    case STOP_CPU:
        return g_strdup_printf(
            _("The guest met something that Vitrine's processor does not do: %s."),
            subject_of(record));
    case STOP_BUG:
        return g_strdup_printf(_("Vitrine's engine crashed (%s). That is a bug in Vitrine."),
                               subject_of(record));
    case STOP_KILLED:
        return g_strdup(
            _("The machine's engine ended unexpectedly: it was killed, or this computer "
              "went off or ran out of memory."));
    case STOP_NONE:
    case STOP_N_REASONS: break;
    }
    return NULL;
}

char *stop_dup_remedy(const StopRecord *record, const char *bundle)
{
    switch (record->reason) {
    case STOP_DISK_FULL:
        return g_strdup(_("Nothing is lost. Make room there, then resume the machine."));
    case STOP_DISK:
        return g_strdup(_("Nothing is lost yet. See that its medium is there and can be written, "
                          "then resume the machine."));
    case STOP_CPU:
        return g_strdup(_("Reset the machine, or try an older or simpler system in it."));
    case STOP_BUG:
    case STOP_KILLED:
        return g_strdup_printf(_("What it said last is in %s/%s. Its disks are checked when it is "
                                 "started again."),
                               bundle, BUNDLE_LOG);
    default: return NULL;
    }
}

char *stop_dup_explanation(const StopRecord *record, const char *bundle)
{
    g_autofree char *words = stop_dup_words(record);
    g_autofree char *remedy = stop_dup_remedy(record, bundle);
    return g_strdup_printf("%s%s%s", words ? words : "", words && remedy ? " " : "",
                           remedy ? remedy : "");
}

bool stop_is_trouble(StopReason reason)
{
    return reason >= STOP_DISK_FULL && reason < STOP_N_REASONS;
}
