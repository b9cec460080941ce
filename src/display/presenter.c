/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/presenter.h"
#include <epoxy/gl.h>
#include <gmodule.h>
#include <string.h>

static double presenter_scale(GtkWidget *widget)
{
    typedef double (*GetScale)(GdkSurface *);
    static gsize looked_up;
    static GetScale get_scale;
    if (g_once_init_enter(&looked_up)) {
        GModule *self = g_module_open(NULL, 0);
        gpointer symbol = NULL;
        if (self && g_module_symbol(self, "gdk_surface_get_scale", &symbol))
            get_scale = (GetScale)symbol;
        g_once_init_leave(&looked_up, 1);
    }
    GtkNative *native = gtk_widget_get_native(widget);
    if (get_scale && native && gtk_native_get_surface(native))
        return get_scale(gtk_native_get_surface(native));
    return gtk_widget_get_scale_factor(widget);
}

void presenter_place(GtkWidget *widget, DisplayPlace *out)
{
    GtkNative *native = gtk_widget_get_native(widget);
    *out = (DisplayPlace){ .width = gtk_widget_get_width(widget),
                           .height = gtk_widget_get_height(widget),
                           .scale = presenter_scale(widget) };
    if (!native)
        return;
    double x, y, offset_x, offset_y; /* a window's shadow belongs to its surface */
    gtk_native_get_surface_transform(native, &offset_x, &offset_y);
    if (gtk_widget_translate_coordinates(widget, GTK_WIDGET(native), 0, 0, &x, &y)) {
        out->x = x + offset_x;
        out->y = y + offset_y;
    }
}

static bool renderer_is_software(const char *name)
{
    static const char *const words[] = { "llvmpipe", "softpipe", "swrast", "software", "SWR" };
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strstr(name, words[i]))
            return true;
    return false;
}

bool presenter_wants_gl(GdkSurface *surface)
{
    const char *forced = g_getenv("VITRINE_PRESENTER"); /* "gl" or "cairo": tests and odd drivers */
    if (forced)
        return strcmp(forced, "gl") == 0;
    g_autoptr(GdkGLContext) context = gdk_surface_create_gl_context(surface, NULL);
    if (!context || !gdk_gl_context_realize(context, NULL))
        return false;
    GdkGLContext *before = gdk_gl_context_get_current();
    gdk_gl_context_make_current(context);
    const char *renderer = (const char *)glGetString(GL_RENDERER);
    bool wanted = renderer && !renderer_is_software(renderer);
    if (before)
        gdk_gl_context_make_current(before);
    else
        gdk_gl_context_clear_current();
    return wanted;
}
