/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/shutdown-countdown.h"
#include "ui/machine.h"
#include <glib/gi18n.h>

struct ShutdownCountdown {
    AdwMessageDialog *dialog; /* NULL once it was answered */
    gint64 until;
};

static void on_response(AdwMessageDialog *dialog, const char *response, ShutdownCountdown *self)
{
    self->dialog = NULL;
}

ShutdownCountdown *shutdown_countdown_new(GtkWindow *parent, gint64 until)
{
    ShutdownCountdown *self = g_new0(ShutdownCountdown, 1);
    self->until = until;
    self->dialog = ADW_MESSAGE_DIALOG(
        adw_message_dialog_new(parent, _("This Computer Is Shutting Down"), NULL));
    adw_message_dialog_add_response(self->dialog, "now", _("_Do Not Wait"));
    adw_message_dialog_set_close_response(self->dialog, "now");
    g_signal_connect(self->dialog, "response", G_CALLBACK(on_response), self);
    gtk_window_present(GTK_WINDOW(self->dialog));
    return self;
}

void shutdown_countdown_free(ShutdownCountdown *self)
{
    if (!self)
        return;
    if (self->dialog) {
        g_signal_handlers_disconnect_by_data(self->dialog, self);
        gtk_window_destroy(GTK_WINDOW(self->dialog));
    }
    g_free(self);
}

bool shutdown_countdown_update(ShutdownCountdown *self, GPtrArray *machines)
{
    gint64 left = self->until - g_get_monotonic_time();
    if (!self->dialog || left <= 0)
        return false;
    int seconds = (int)((left + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC);
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < machines->len; i++)
        g_string_append_printf(names, "%s%s", i ? ", " : "",
                               vitrine_machine_get_name(machines->pdata[i]));
    g_autofree char *waiting =
        g_strdup_printf(ngettext("Waiting %d more second for machines to turn off:",
                                 "Waiting %d more seconds for machines to turn off:", seconds),
                        seconds);
    g_autofree char *body = g_strdup_printf("%s\n%s", waiting, names->str);
    adw_message_dialog_set_body(self->dialog, body);
    return true;
}
