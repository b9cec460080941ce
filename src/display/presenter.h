/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Presenters: widgets that show a VitrineFrame, each in its way. cairo draws only what changed and
 * needs no GPU; GL uploads what changed to a texture. presenter_new() chooses. Main thread.
 * Included by the display widget (screen.h). */

#include "display/frame.h"
#include "display/geometry.h"
#include <gtk/gtk.h>

G_BEGIN_DECLS

#define VITRINE_TYPE_CAIRO_PRESENTER (vitrine_cairo_presenter_get_type())
G_DECLARE_FINAL_TYPE(VitrineCairoPresenter, vitrine_cairo_presenter, VITRINE, CAIRO_PRESENTER,
                     GtkWidget)
GtkWidget *vitrine_cairo_presenter_new(VitrineFrame *frame);

#define VITRINE_TYPE_GL_PRESENTER (vitrine_gl_presenter_get_type())
G_DECLARE_FINAL_TYPE(VitrineGLPresenter, vitrine_gl_presenter, VITRINE, GL_PRESENTER, GtkWidget)
GtkWidget *vitrine_gl_presenter_new(VitrineFrame *frame);

/* Whether @surface's display has a GPU worth using: OpenGL works and is not drawn by the processor.
 */
bool presenter_wants_gl(GdkSurface *surface);
/* Where @widget is on its surface; the scale is exact where GTK knows it (4.12), else whole. */
void presenter_place(GtkWidget *widget, DisplayPlace *out);

G_END_DECLS
