/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "ui/machine-private.h"
#include "ui/thumbnail.h"
#include <glib/gi18n.h>

enum {
    PROP_0,
    PROP_NAME,
    PROP_STATE,
    PROP_STATE_TEXT,
    PROP_PROBLEM,
    PROP_CPU_TEXT,
    PROP_CPU_REASON,
    PROP_LIVE,
    PROP_THUMBNAIL,
    PROP_POINTER_ABSOLUTE,
    N_PROPS
};
static GParamSpec *properties[N_PROPS];
enum { SIGNAL_FAILED, N_SIGNALS };
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE(VitrineMachine, vitrine_machine, G_TYPE_OBJECT)

static const char *state_text(VitrineMachine *self)
{
    if (self->missing)
        return _("Missing");
    if (self->damaged)
        return _("Damaged");
    switch (self->state) {
    case CLIENT_RUNNING: return _("Running");
    case CLIENT_PAUSED: return _("Paused");
    case CLIENT_PAUSED_PROBLEM: return _("Needs attention");
    case CLIENT_FAILED: return _("Failed");
    case CLIENT_CRASHED: return _("Stopped unexpectedly");
    default: return _("Off");
    }
}

static void machine_set_starting(VitrineMachine *self, bool starting)
{
    self->starting = starting;
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_STATE_TEXT]);
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_LIVE]);
}

void machine_fail(VitrineMachine *self, const char *what, GError *error)
{
    if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
        g_dbus_error_strip_remote_error(error);
        g_signal_emit(self, signals[SIGNAL_FAILED], 0, what, error);
    }
    g_error_free(error);
}

void machine_set_state(VitrineMachine *self, ClientState state, const char *problem)
{
    bool was_live = client_state_is_live(self->state);
    if (g_strcmp0(self->problem, problem) != 0) {
        g_free(self->problem);
        self->problem = g_strdup(problem ? problem : "");
        g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_PROBLEM]);
    }
    if (self->state == state)
        return;
    self->state = state;
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_STATE]);
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_STATE_TEXT]);
    if (was_live != client_state_is_live(state))
        g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_LIVE]);
}

static void machine_set_string(VitrineMachine *self, char **field, const char *value, int prop)
{
    if (g_strcmp0(*field, value) == 0)
        return;
    g_free(*field);
    *field = g_strdup(value);
    if (prop)
        g_object_notify_by_pspec(G_OBJECT(self), properties[prop]);
}

static void machine_set_damage(VitrineMachine *self, const ClientMachine *client)
{
    bool damaged = client->damage != NULL;
    if (damaged == self->damaged && client->missing == self->missing)
        return;
    self->damaged = damaged;
    self->missing = client->missing;
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_STATE]);
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_STATE_TEXT]);
}

static void machine_set_shows_thumbnail(VitrineMachine *self, bool shows)
{
    if (self->shows_thumbnail == shows)
        return;
    self->shows_thumbnail = shows;
    self->thumbnail_scale = 0;
    g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_THUMBNAIL]);
}

void vitrine_machine_update(VitrineMachine *self, const ClientMachine *client)
{
    machine_set_string(self, &self->bundle, client->bundle, 0);
    machine_set_string(self, &self->name, client_machine_name(client), PROP_NAME);
    if (client->definition) {
        machine_set_string(self, &self->uuid, client->definition->uuid, 0);
        machine_set_shows_thumbnail(self, client->definition->thumbnail);
    }
    if (self->last_used != client->last_used) {
        self->last_used = client->last_used;
        g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_STATE_TEXT]);
    }
    machine_set_damage(self, client);
    if (client->damage)
        machine_set_state(self, CLIENT_FAILED, client->damage->message);
    else if (!self->proxy) /* a proxy knows better, and sooner */
        machine_set_state(self, client->state, client->problem);
    if (client_state_is_live(client->state))
        machine_connect(self);
}

static void on_started(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineMachine) self = opaque;
    GError *error = NULL;
    machine_set_starting(self, false);
    if (client_start_finish(result, &error)) {
        machine_set_state(self, CLIENT_RUNNING, NULL);
        machine_connect(self);
    } else {
        machine_fail(self, _("The machine could not be started"), error);
    }
}

bool vitrine_machine_can_start(VitrineMachine *self)
{
    return !self->starting && !self->proxy &&
           (self->state == CLIENT_OFF || self->state == CLIENT_CRASHED);
}

bool vitrine_machine_is_starting(VitrineMachine *self)
{
    return self->starting || self->connecting;
}

void vitrine_machine_start(VitrineMachine *self)
{
    if (!vitrine_machine_can_start(self))
        return;
    machine_set_starting(self, true);
    client_forget_crash(self->bundle);
    client_start_async(self->bundle, NULL, self->cancellable, on_started, g_object_ref(self));
}

static void on_thumbnail_loaded(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineMachine) self = opaque;
    g_autoptr(GdkTexture) texture = thumbnail_load_finish(result);
    if (texture && g_set_object(&self->thumbnail, texture))
        g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_THUMBNAIL]);
}

static void machine_load_thumbnail(VitrineMachine *self)
{
    g_autofree char *path = g_build_filename(self->bundle, BUNDLE_THUMBNAIL, NULL);
    thumbnail_load_async(path, MAX(self->thumbnail_scale, 1), self->cancellable,
                         on_thumbnail_loaded, g_object_ref(self));
}

static void on_thumbnail(GObject *source, GAsyncResult *result, gpointer opaque)
{
    g_autoptr(VitrineMachine) self = opaque;
    if (vitrine_dbus_machine1_call_update_thumbnail_finish(VITRINE_DBUS_MACHINE1(source), result,
                                                           NULL))
        machine_load_thumbnail(self);
}

void vitrine_machine_want_thumbnail(VitrineMachine *self, int scale)
{
    if (self->thumbnail_scale >= scale || !self->shows_thumbnail)
        return;
    self->thumbnail_scale = scale;
    machine_load_thumbnail(self);
}

void vitrine_machine_refresh_thumbnail(VitrineMachine *self)
{
    if (!self->shows_thumbnail)
        return;
    if (self->proxy)
        vitrine_dbus_machine1_call_update_thumbnail(self->proxy, self->cancellable, on_thumbnail,
                                                    g_object_ref(self));
    else
        machine_load_thumbnail(self);
}

bool vitrine_machine_is_damaged(VitrineMachine *self)
{
    return self->damaged;
}

bool vitrine_machine_is_missing(VitrineMachine *self)
{
    return self->missing;
}

bool vitrine_machine_is_live(VitrineMachine *self)
{
    return self->proxy || (!self->damaged && client_state_is_live(self->state));
}

int64_t vitrine_machine_get_last_used(VitrineMachine *self)
{
    return self->last_used;
}

bool vitrine_machine_shows_thumbnail(VitrineMachine *self)
{
    return self->shows_thumbnail;
}

const char *vitrine_machine_get_bundle(VitrineMachine *self)
{
    return self->bundle;
}

const char *vitrine_machine_get_name(VitrineMachine *self)
{
    return self->name;
}

const char *vitrine_machine_get_uuid(VitrineMachine *self)
{
    return self->uuid;
}

ClientState vitrine_machine_get_state(VitrineMachine *self)
{
    return self->state;
}

const char *vitrine_machine_get_problem(VitrineMachine *self)
{
    return self->problem;
}

VitrineDBusMachine1 *vitrine_machine_get_proxy(VitrineMachine *self)
{
    return self->proxy;
}

GDBusConnection *vitrine_machine_get_connection(VitrineMachine *self)
{
    return self->proxy ? g_dbus_proxy_get_connection(G_DBUS_PROXY(self->proxy)) : NULL;
}

static const char *machine_cpu_text(VitrineMachine *self)
{
    const char *backend = self->proxy ? vitrine_dbus_machine1_get_cpu_backend(self->proxy) : NULL;
    if (!backend)
        return "";
    return strcmp(backend, "kvm") == 0 ? _("KVM") : _("Software CPU");
}

static void vitrine_machine_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    VitrineMachine *self = VITRINE_MACHINE(object);
    switch (id) {
    case PROP_NAME: g_value_set_string(value, self->name); break;
    case PROP_STATE: g_value_set_int(value, (int)self->state); break;
    case PROP_STATE_TEXT:
        g_value_set_string(value, self->starting ? _("Starting…") : state_text(self));
        break;
    case PROP_PROBLEM: g_value_set_string(value, self->problem); break;
    case PROP_CPU_TEXT: g_value_set_string(value, machine_cpu_text(self)); break;
    case PROP_CPU_REASON:
        g_value_set_string(value,
                           self->proxy ? vitrine_dbus_machine1_get_cpu_reason(self->proxy) : "");
        break;
    case PROP_LIVE: g_value_set_boolean(value, vitrine_machine_is_live(self)); break;
    case PROP_THUMBNAIL:
        g_value_set_object(value, self->shows_thumbnail ? self->thumbnail : NULL);
        break;
    case PROP_POINTER_ABSOLUTE:
        g_value_set_boolean(value,
                            self->proxy && vitrine_dbus_machine1_get_pointer_absolute(self->proxy));
        break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void vitrine_machine_dispose(GObject *object)
{
    VitrineMachine *self = VITRINE_MACHINE(object);
    g_cancellable_cancel(self->cancellable);
    machine_drop_proxy(self);
    g_clear_object(&self->thumbnail);
    G_OBJECT_CLASS(vitrine_machine_parent_class)->dispose(object);
}

static void vitrine_machine_finalize(GObject *object)
{
    VitrineMachine *self = VITRINE_MACHINE(object);
    g_object_unref(self->cancellable);
    g_free(self->bundle);
    g_free(self->name);
    g_free(self->uuid);
    g_free(self->problem);
    G_OBJECT_CLASS(vitrine_machine_parent_class)->finalize(object);
}

#define READ (G_PARAM_READABLE | G_PARAM_STATIC_STRINGS)

static void vitrine_machine_class_init(VitrineMachineClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    object_class->get_property = vitrine_machine_get_property;
    object_class->dispose = vitrine_machine_dispose;
    object_class->finalize = vitrine_machine_finalize;
    properties[PROP_NAME] = g_param_spec_string("name", NULL, NULL, NULL, READ);
    properties[PROP_STATE] = g_param_spec_int("state", NULL, NULL, 0, CLIENT_N_STATES, 0, READ);
    properties[PROP_STATE_TEXT] = g_param_spec_string("state-text", NULL, NULL, NULL, READ);
    properties[PROP_PROBLEM] = g_param_spec_string("problem", NULL, NULL, NULL, READ);
    properties[PROP_CPU_TEXT] = g_param_spec_string("cpu-text", NULL, NULL, NULL, READ);
    properties[PROP_CPU_REASON] = g_param_spec_string("cpu-reason", NULL, NULL, NULL, READ);
    properties[PROP_LIVE] = g_param_spec_boolean("live", NULL, NULL, FALSE, READ);
    properties[PROP_THUMBNAIL] =
        g_param_spec_object("thumbnail", NULL, NULL, GDK_TYPE_PAINTABLE, READ);
    properties[PROP_POINTER_ABSOLUTE] =
        g_param_spec_boolean("pointer-absolute", NULL, NULL, FALSE, READ);
    g_object_class_install_properties(object_class, N_PROPS, properties);
    signals[SIGNAL_FAILED] =
        g_signal_new("failed", VITRINE_TYPE_MACHINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                     G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_ERROR);
}

static void vitrine_machine_init(VitrineMachine *self)
{
    self->cancellable = g_cancellable_new();
    self->problem = g_strdup("");
    self->shows_thumbnail = true;
}

VitrineMachine *vitrine_machine_new(const ClientMachine *client)
{
    VitrineMachine *self = g_object_new(VITRINE_TYPE_MACHINE, NULL);
    vitrine_machine_update(self, client);
    return self;
}
