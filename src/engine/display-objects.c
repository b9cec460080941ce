/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/display-objects.h"
#include "base/errors.h"
#include "dbus-display.h"
#include <gio/gunixfdlist.h>
#include <glib/gi18n.h>

struct DisplayObjects {
    Engine *engine; /* borrowed */
    QemuDBusDisplay1VM *vm;
    QemuDBusDisplay1Console *console;
    QemuDBusDisplay1Keyboard *keyboard;
    QemuDBusDisplay1Mouse *mouse;
    guint leds_timer;
};

static gboolean refuse(GDBusMethodInvocation *invocation, AppError code, const char *message)
{
    g_dbus_method_invocation_return_error_literal(invocation, APP_ERROR, code, message);
    return TRUE;
}

/* --- Console --- */

static gboolean on_register_listener(QemuDBusDisplay1Console *console,
                                     GDBusMethodInvocation *invocation, GUnixFDList *fds,
                                     GVariant *handle, DisplayObjects *objects)
{
    g_autoptr(GError) error = NULL;
    int fd = fds ? g_unix_fd_list_get(fds, g_variant_get_handle(handle), &error) : -1;
    if (fd < 0)
        return refuse(invocation, APP_ERROR_INVALID, _("A listener needs a socket"));
    qemu_dbus_display1_console_complete_register_listener(console, invocation, NULL);
    display_add_listener(objects->engine->display, fd);
    return TRUE;
}

static gboolean on_set_ui_info(QemuDBusDisplay1Console *console, GDBusMethodInvocation *invocation,
                               guint16 width_mm, guint16 height_mm, gint x, gint y, guint width,
                               guint height, DisplayObjects *objects)
{
    Vga *vga = objects->engine->machine->vga;
    if (vga && width >= 320 && height >= 200)
        vga_set_preferred_mode(vga, MIN(width, 2560), MIN(height, 1600));
    qemu_dbus_display1_console_complete_set_uiinfo(console, invocation);
    return TRUE;
}

void display_objects_set_size(DisplayObjects *objects, unsigned width, unsigned height)
{
    qemu_dbus_display1_console_set_width(objects->console, width);
    qemu_dbus_display1_console_set_height(objects->console, height);
}

/* --- Keyboard and mouse --- */

/* The guest answers a lock key by setting its lamp, some milliseconds later. */
static gboolean on_leds_timer(gpointer opaque)
{
    DisplayObjects *objects = opaque;
    objects->leds_timer = 0;
    if (objects->engine->machine)
        qemu_dbus_display1_keyboard_set_modifiers(objects->keyboard,
                                                  i8042_leds(objects->engine->machine->i8042));
    return G_SOURCE_REMOVE;
}

static bool take_key(DisplayObjects *objects, GDBusMethodInvocation *invocation, unsigned key,
                     bool down)
{
    if (key == 0 || key > 0xff) {
        refuse(invocation, APP_ERROR_INVALID, _("There is no such key number"));
        return false;
    }
    display_poke(objects->engine->display);
    typist_key(objects->engine->typist, key, down);
    if (!objects->leds_timer)
        objects->leds_timer = g_timeout_add(60, on_leds_timer, objects);
    return true;
}

static gboolean on_key_press(QemuDBusDisplay1Keyboard *keyboard, GDBusMethodInvocation *invocation,
                             unsigned key, DisplayObjects *objects)
{
    if (take_key(objects, invocation, key, true))
        qemu_dbus_display1_keyboard_complete_press(keyboard, invocation);
    return TRUE;
}

static gboolean on_key_release(QemuDBusDisplay1Keyboard *keyboard,
                               GDBusMethodInvocation *invocation, unsigned key,
                               DisplayObjects *objects)
{
    if (take_key(objects, invocation, key, false))
        qemu_dbus_display1_keyboard_complete_release(keyboard, invocation);
    return TRUE;
}

static gboolean take_button(DisplayObjects *objects, GDBusMethodInvocation *invocation,
                            unsigned button, bool down)
{
    if (button > 6)
        return refuse(invocation, APP_ERROR_INVALID, _("There is no such mouse button"));
    display_poke(objects->engine->display);
    typist_button(objects->engine->typist, button, down);
    g_dbus_method_invocation_return_value(invocation, NULL);
    return TRUE;
}

static gboolean on_button_press(QemuDBusDisplay1Mouse *mouse, GDBusMethodInvocation *invocation,
                                unsigned button, DisplayObjects *objects)
{
    return take_button(objects, invocation, button, true);
}

static gboolean on_button_release(QemuDBusDisplay1Mouse *mouse, GDBusMethodInvocation *invocation,
                                  unsigned button, DisplayObjects *objects)
{
    return take_button(objects, invocation, button, false);
}

static gboolean on_relative_motion(QemuDBusDisplay1Mouse *mouse, GDBusMethodInvocation *invocation,
                                   int dx, int dy, DisplayObjects *objects)
{
    display_poke(objects->engine->display);
    typist_motion(objects->engine->typist, CLAMP(dx, -4096, 4096), CLAMP(dy, -4096, 4096));
    qemu_dbus_display1_mouse_complete_rel_motion(mouse, invocation);
    return TRUE;
}

static gboolean on_absolute_position(QemuDBusDisplay1Mouse *mouse,
                                     GDBusMethodInvocation *invocation, unsigned x, unsigned y,
                                     DisplayObjects *objects)
{
    return refuse(invocation, APP_ERROR_WRONG_STATE,
                  _("The guest's mouse is relative; use RelMotion"));
}

/* --- The set --- */

static void fill_properties(DisplayObjects *objects)
{
    static const char *const console_interfaces[] = { "org.qemu.Display1.Keyboard",
                                                      "org.qemu.Display1.Mouse", NULL };
    static const char *const none[] = { NULL };
    const Definition *definition = objects->engine->definition;
    qemu_dbus_display1_vm_set_name(objects->vm, definition->name);
    qemu_dbus_display1_vm_set_uuid(objects->vm, definition->uuid);
    qemu_dbus_display1_vm_set_console_ids(objects->vm, g_variant_new_parsed("[uint32 0]"));
    qemu_dbus_display1_vm_set_interfaces(objects->vm, none);
    qemu_dbus_display1_console_set_label(objects->console, "VGA");
    qemu_dbus_display1_console_set_type_(objects->console, "Graphic");
    qemu_dbus_display1_console_set_device_address(objects->console, "pci/0000/01.0");
    qemu_dbus_display1_console_set_interfaces(objects->console, console_interfaces);
}

DisplayObjects *display_objects_new(Engine *engine)
{
    DisplayObjects *objects = g_new0(DisplayObjects, 1);
    objects->engine = engine;
    objects->vm = qemu_dbus_display1_vm_skeleton_new();
    objects->console = qemu_dbus_display1_console_skeleton_new();
    objects->keyboard = qemu_dbus_display1_keyboard_skeleton_new();
    objects->mouse = qemu_dbus_display1_mouse_skeleton_new();
    const struct {
        gpointer object;
        const char *signal;
        GCallback handler;
    } handlers[] = {
        { objects->console, "handle-register-listener", G_CALLBACK(on_register_listener) },
        { objects->console, "handle-set-uiinfo", G_CALLBACK(on_set_ui_info) },
        { objects->keyboard, "handle-press", G_CALLBACK(on_key_press) },
        { objects->keyboard, "handle-release", G_CALLBACK(on_key_release) },
        { objects->mouse, "handle-press", G_CALLBACK(on_button_press) },
        { objects->mouse, "handle-release", G_CALLBACK(on_button_release) },
        { objects->mouse, "handle-rel-motion", G_CALLBACK(on_relative_motion) },
        { objects->mouse, "handle-set-abs-position", G_CALLBACK(on_absolute_position) },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(handlers); i++)
        g_signal_connect(handlers[i].object, handlers[i].signal, handlers[i].handler, objects);
    fill_properties(objects);
    return objects;
}

void display_objects_free(DisplayObjects *objects)
{
    if (!objects)
        return;
    g_clear_handle_id(&objects->leds_timer, g_source_remove);
    ServerObject all[DISPLAY_OBJECTS_COUNT];
    display_objects_list(objects, all);
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        g_signal_handlers_disconnect_by_data(all[i].skeleton, objects);
        g_object_unref(all[i].skeleton);
    }
    g_free(objects);
}

void display_objects_list(DisplayObjects *objects, ServerObject *out)
{
    out[0] = (ServerObject){ G_DBUS_INTERFACE_SKELETON(objects->vm), "/org/qemu/Display1/VM" };
    out[1] = (ServerObject){ G_DBUS_INTERFACE_SKELETON(objects->console),
                             "/org/qemu/Display1/Console_0" };
    out[2] = (ServerObject){ G_DBUS_INTERFACE_SKELETON(objects->keyboard),
                             "/org/qemu/Display1/Console_0" };
    out[3] =
        (ServerObject){ G_DBUS_INTERFACE_SKELETON(objects->mouse), "/org/qemu/Display1/Console_0" };
}
