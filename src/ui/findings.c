/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/findings.h"
#include <adwaita.h>
#include <glib/gi18n.h>

#define A_MOMENT_MS 200

struct _VitrineFindings {
    GtkWidget parent;
    GtkListBox *list;
    char *root, *problem, *warning; /* owned, or NULL */
    PreflightWants wants;           /* its root is the one above */
    bool can_work;
    unsigned generation; /* of the last look: answers to earlier ones are not shown */
    guint delay;
    GCancellable *cancellable;
};

enum { SIGNAL_LOOKED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineFindings, vitrine_findings, GTK_TYPE_WIDGET)

static void findings_add(VitrineFindings *self, PreflightGrade grade, const char *words,
                         const char *remedy)
{
    static const char *const icons[] = { "dialog-information-symbolic", "dialog-warning-symbolic",
                                         "dialog-error-symbolic" };
    static const char *const classes[] = { "dim-label", "warning", "error" };
    GtkWidget *row = adw_action_row_new(), *icon = gtk_image_new_from_icon_name(icons[grade]);
    adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(row), FALSE);
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), words);
    adw_action_row_set_title_lines(ADW_ACTION_ROW(row), 0);
    adw_action_row_set_subtitle_lines(ADW_ACTION_ROW(row), 0);
    adw_action_row_set_subtitle(ADW_ACTION_ROW(row), remedy);
    adw_action_row_add_prefix(ADW_ACTION_ROW(row), icon);
    gtk_widget_add_css_class(icon, classes[grade]);
    if (grade == PREFLIGHT_FATAL)
        gtk_widget_add_css_class(row, "fatal");
    gtk_list_box_append(self->list, row);
}

static void findings_show(VitrineFindings *self, GPtrArray *findings)
{
    GtkWidget *row;
    while ((row = gtk_widget_get_first_child(GTK_WIDGET(self->list))))
        gtk_list_box_remove(self->list, row);
    self->can_work = true;
    if (self->problem)
        findings_add(self, PREFLIGHT_FATAL, self->problem, "");
    if (self->warning)
        findings_add(self, PREFLIGHT_WARNING, self->warning, "");
    for (guint i = 0; findings && i < findings->len; i++) {
        const PreflightFinding *finding = findings->pdata[i];
        findings_add(self, finding->grade, finding->words, finding->remedy);
        self->can_work &= finding->grade != PREFLIGHT_FATAL;
    }
    gtk_widget_set_visible(GTK_WIDGET(self),
                           gtk_widget_get_first_child(GTK_WIDGET(self->list)) != NULL);
    g_signal_emit(self, signals[SIGNAL_LOOKED], 0);
}

/* The look --------------------------------------------------------------------------------------
 */

typedef struct {
    char *root;
    PreflightWants wants;
    unsigned generation;
} Look;

static void look_free(gpointer data)
{
    Look *look = data;
    g_free(look->root);
    g_free(look);
}

static void look_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    Look *look = data;
    g_task_return_pointer(task, client_preflight(&look->wants), (GDestroyNotify)g_ptr_array_unref);
}

static void on_looked(GObject *source, GAsyncResult *result, gpointer opaque)
{
    VitrineFindings *self = VITRINE_FINDINGS(source);
    Look *look = g_task_get_task_data(G_TASK(result));
    g_autoptr(GPtrArray) findings = g_task_propagate_pointer(G_TASK(result), NULL);
    if (findings && look->generation == self->generation)
        findings_show(self, findings);
}

static gboolean on_delay(gpointer opaque)
{
    VitrineFindings *self = opaque;
    self->delay = 0;
    Look *look = g_new0(Look, 1);
    look->root = g_strdup(self->root);
    look->generation = ++self->generation;
    look->wants = self->wants;
    look->wants.root = look->root;
    g_autoptr(GTask) task = g_task_new(self, self->cancellable, on_looked, NULL);
    g_task_set_task_data(task, look, look_free);
    g_task_run_in_thread(task, look_thread);
    return G_SOURCE_REMOVE;
}

void vitrine_findings_look(VitrineFindings *self, const PreflightWants *wants, bool now)
{
    if (g_strcmp0(self->root, wants->root) != 0) {
        g_free(self->root);
        self->root = g_strdup(wants->root);
    }
    self->wants = *wants;
    self->wants.root = self->root;
    if (now) {
        g_clear_handle_id(&self->delay, g_source_remove);
        on_delay(self);
    } else if (!self->delay) {
        self->delay = g_timeout_add(A_MOMENT_MS, on_delay, self);
    }
}

void vitrine_findings_refuse(VitrineFindings *self, const char *why)
{
    g_clear_handle_id(&self->delay, g_source_remove);
    self->generation++;
    vitrine_findings_set_problem(self, why);
    findings_show(self, NULL);
}

void vitrine_findings_set_problem(VitrineFindings *self, const char *problem)
{
    g_free(self->problem);
    self->problem = g_strdup(problem);
}

void vitrine_findings_set_warning(VitrineFindings *self, const char *warning)
{
    g_free(self->warning);
    self->warning = g_strdup(warning);
}

bool vitrine_findings_can_work(VitrineFindings *self)
{
    return self->can_work;
}

/* The widget ------------------------------------------------------------------------------------
 */

static void vitrine_findings_dispose(GObject *object)
{
    VitrineFindings *self = VITRINE_FINDINGS(object);
    if (self->cancellable)
        g_cancellable_cancel(self->cancellable);
    g_clear_object(&self->cancellable);
    g_clear_handle_id(&self->delay, g_source_remove);
    g_clear_pointer(&self->root, g_free);
    g_clear_pointer(&self->problem, g_free);
    g_clear_pointer(&self->warning, g_free);
    if (self->list)
        gtk_widget_unparent(GTK_WIDGET(self->list));
    self->list = NULL;
    G_OBJECT_CLASS(vitrine_findings_parent_class)->dispose(object);
}

static void vitrine_findings_class_init(VitrineFindingsClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_findings_dispose;
    gtk_widget_class_set_layout_manager_type(GTK_WIDGET_CLASS(klass), GTK_TYPE_BIN_LAYOUT);
    signals[SIGNAL_LOOKED] = g_signal_new("looked", VITRINE_TYPE_FINDINGS, G_SIGNAL_RUN_LAST, 0,
                                          NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void vitrine_findings_init(VitrineFindings *self)
{
    self->cancellable = g_cancellable_new();
    self->can_work = true;
    self->list = GTK_LIST_BOX(gtk_list_box_new());
    gtk_list_box_set_selection_mode(self->list, GTK_SELECTION_NONE);
    gtk_widget_add_css_class(GTK_WIDGET(self->list), "boxed-list");
    gtk_accessible_update_property(GTK_ACCESSIBLE(self->list), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                   _("Before it starts"), -1);
    gtk_widget_set_parent(GTK_WIDGET(self->list), GTK_WIDGET(self));
    gtk_widget_set_visible(GTK_WIDGET(self), FALSE);
}
