/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/log-window.h"
#include "client/stop-words.h"
#include <adwaita.h>
#include <glib/gi18n.h>

#define SHOWN_BYTES 65536
#define COPIED_LINES 60

static char *log_dup_end(const char *path)
{
    g_autofree char *text = NULL;
    gsize length = 0;
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return g_strdup(_("This machine has not run yet."));
    g_autoptr(GError) error = NULL;
    if (!g_file_get_contents(path, &text, &length, &error))
        return g_strdup(error->message);
    return g_utf8_make_valid(length > SHOWN_BYTES ? text + length - SHOWN_BYTES : text, -1);
}

/* The last lines of @text. Borrowed from it. */
static const char *last_lines(const char *text, unsigned n)
{
    const char *at = text + strlen(text);
    for (unsigned seen = 0; at > text; at--)
        if (at[-1] == '\n' && seen++ == n)
            break;
    return at;
}

/* What a bug report wants: the version, the machine, why it stopped and what was said last. */
static char *describe(const ClientMachine *machine, const char *log)
{
    g_autofree char *why = stop_dup_explanation(&machine->stop, machine->bundle);
    g_auto(GStrv) values =
        machine->definition ? definition_dup_values(machine->definition) : g_new0(char *, 1);
    g_autoptr(GString) text = g_string_new("Vitrine " VITRINE_VERSION "\n");
    g_string_append_printf(text, "state: %s\nreason: %s\n%s\n", client_state_name(machine->state),
                           stop_reason_name(machine->stop.reason), why);
    for (unsigned i = 0; values[i]; i += 2)
        g_string_append_printf(text, "%s=%s\n", values[i], values[i + 1]);
    g_string_append_printf(text, "\n%s", last_lines(log, COPIED_LINES));
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void on_copy(GtkButton *button, const char *details)
{
    gdk_clipboard_set_text(gtk_widget_get_clipboard(GTK_WIDGET(button)), details);
}

static void show_why(GtkBuilder *builder, const ClientMachine *machine)
{
    g_autofree char *why = stop_dup_words(&machine->stop);
    g_autofree char *remedy = stop_dup_remedy(&machine->stop, machine->bundle);
    GtkWidget *remedy_label = GTK_WIDGET(gtk_builder_get_object(builder, "remedy"));
    gtk_widget_set_visible(GTK_WIDGET(gtk_builder_get_object(builder, "why_box")), why != NULL);
    gtk_label_set_text(GTK_LABEL(gtk_builder_get_object(builder, "why")), why ? why : "");
    gtk_label_set_text(GTK_LABEL(remedy_label), remedy ? remedy : "");
    gtk_widget_set_visible(remedy_label, remedy != NULL);
}

/* What was said last is in view. */
static void show_log(GtkTextView *view, const char *text)
{
    GtkTextBuffer *buffer = gtk_text_view_get_buffer(view);
    GtkTextIter end;
    gtk_text_buffer_set_text(buffer, text, -1);
    gtk_text_buffer_get_end_iter(buffer, &end);
    gtk_text_buffer_place_cursor(buffer, &end);
    gtk_text_view_scroll_mark_onscreen(view, gtk_text_buffer_get_insert(buffer));
}

static void window_fill(GtkBuilder *builder, const ClientMachine *machine)
{
    g_autofree char *path = g_build_filename(machine->bundle, BUNDLE_LOG, NULL);
    g_autofree char *text = log_dup_end(path);
    AdwWindowTitle *title = ADW_WINDOW_TITLE(gtk_builder_get_object(builder, "title"));
    adw_window_title_set_title(title, client_machine_name(machine));
    adw_window_title_set_subtitle(title, path);
    show_log(GTK_TEXT_VIEW(gtk_builder_get_object(builder, "view")), text);
    show_why(builder, machine);
    g_signal_connect_data(gtk_builder_get_object(builder, "copy"), "clicked", G_CALLBACK(on_copy),
                          describe(machine, text), (GClosureNotify)(void (*)(void))g_free, 0);
}

static void on_read(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(GtkWindow) parent = opaque;
    g_autoptr(ClientMachine) machine = g_task_propagate_pointer(G_TASK(result), NULL);
    g_autoptr(GtkBuilder) builder =
        gtk_builder_new_from_resource("/org/vitrine/Vitrine/log-window.ui");
    GtkWindow *window = GTK_WINDOW(gtk_builder_get_object(builder, "window"));
    window_fill(builder, machine);
    gtk_window_set_title(window, _("Log"));
    gtk_window_set_transient_for(window, parent);
    gtk_window_present(window);
}

static void read_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    g_task_return_pointer(task, client_open_machine(data), (GDestroyNotify)client_machine_free);
}

void log_window_show(GtkWindow *parent, VitrineMachine *machine)
{
    g_autoptr(GTask) task = g_task_new(machine, NULL, on_read, g_object_ref(parent));
    g_task_set_task_data(task, g_strdup(vitrine_machine_get_bundle(machine)), g_free);
    g_task_run_in_thread(task, read_thread);
}
