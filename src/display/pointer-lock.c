/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/pointer-lock.h"
#ifdef GDK_WINDOWING_X11
#include <X11/Xlib.h>
#include <gdk/x11/gdkx.h>
#endif

bool pointer_lock_warp(GtkWidget *widget, double x, double y)
{
#ifdef GDK_WINDOWING_X11
    GtkNative *native = gtk_widget_get_native(widget);
    GdkSurface *surface = native ? gtk_native_get_surface(native) : NULL;
    if (!GDK_IS_X11_SURFACE(surface))
        return false;
    double window_x, window_y, offset_x, offset_y;
    gtk_native_get_surface_transform(native, &offset_x, &offset_y);
    if (!gtk_widget_translate_coordinates(widget, GTK_WIDGET(native), x, y, &window_x, &window_y))
        return false;
    int scale = gdk_surface_get_scale_factor(surface);
    XWarpPointer(GDK_SURFACE_XDISPLAY(surface), None, GDK_SURFACE_XID(surface), 0, 0, 0, 0,
                 (int)((window_x + offset_x) * scale), (int)((window_y + offset_y) * scale));
    return true;
#else
    return false;
#endif
}
