/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/job-bar.h"
#include <glib/gi18n.h>
#include <stdbool.h>

struct Job {        /* in a reference-counted box: a report may be on its way when the work ends */
    GtkBox *jobs;   /* owned */
    GtkWidget *row; /* borrowed: in @jobs; NULL after the end */
    GtkProgressBar *bar;       /* in @row */
    GtkButton *cancel;         /* in @row */
    GCancellable *cancellable; /* owned */
    int permille;              /* atomic */
    int is_scheduled;          /* atomic: an idle will show the progress */
};

static void job_clear(gpointer data)
{
    Job *job = data;
    g_object_unref(job->jobs);
    g_object_unref(job->cancellable);
}

static void job_unref(gpointer job)
{
    g_atomic_rc_box_release_full(job, job_clear);
}

static void on_cancel(GtkButton *button, Job *job)
{
    gtk_widget_set_sensitive(GTK_WIDGET(button), FALSE);
    g_cancellable_cancel(job->cancellable);
}

static gboolean on_progress(gpointer data)
{
    Job *job = data;
    g_atomic_int_set(&job->is_scheduled, 0);
    if (job->row)
        gtk_progress_bar_set_fraction(job->bar, g_atomic_int_get(&job->permille) / 1000.0);
    return G_SOURCE_REMOVE;
}

void job_report(double fraction, gpointer data)
{
    Job *job = data;
    g_atomic_int_set(&job->permille, (int)(CLAMP(fraction, 0, 1) * 1000));
    if (g_atomic_int_compare_and_exchange(&job->is_scheduled, 0, 1))
        g_idle_add_full(G_PRIORITY_DEFAULT, on_progress, g_atomic_rc_box_acquire(job), job_unref);
}

Job *job_begin(GtkBox *jobs, const char *what)
{
    Job *job = g_atomic_rc_box_new0(Job);
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 12);
    GtkWidget *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
    GtkWidget *label = gtk_label_new(what);
    job->jobs = g_object_ref(jobs);
    job->row = row;
    job->bar = GTK_PROGRESS_BAR(gtk_progress_bar_new());
    job->cancel = GTK_BUTTON(gtk_button_new_with_mnemonic(_("_Cancel")));
    job->cancellable = g_cancellable_new();
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_MIDDLE);
    gtk_accessible_update_property(GTK_ACCESSIBLE(job->bar), GTK_ACCESSIBLE_PROPERTY_LABEL, what,
                                   -1);
    gtk_widget_set_hexpand(words, TRUE);
    gtk_widget_set_valign(words, GTK_ALIGN_CENTER);
    gtk_widget_add_css_class(row, "job");
    gtk_box_append(GTK_BOX(words), label);
    gtk_box_append(GTK_BOX(words), GTK_WIDGET(job->bar));
    gtk_box_append(GTK_BOX(row), words);
    gtk_box_append(GTK_BOX(row), GTK_WIDGET(job->cancel));
    g_signal_connect(job->cancel, "clicked", G_CALLBACK(on_cancel), job);
    gtk_box_append(jobs, row);
    gtk_widget_set_visible(GTK_WIDGET(jobs), TRUE);
    return job;
}

GCancellable *job_get_cancellable(Job *job)
{
    return job->cancellable;
}

void job_end(Job *job)
{
    g_signal_handlers_disconnect_by_data(job->cancel, job);
    if (gtk_widget_get_parent(job->row) == GTK_WIDGET(job->jobs))
        gtk_box_remove(job->jobs, job->row);
    job->row = NULL;
    gtk_widget_set_visible(GTK_WIDGET(job->jobs),
                           gtk_widget_get_first_child(GTK_WIDGET(job->jobs)) != NULL);
    job_unref(job);
}
