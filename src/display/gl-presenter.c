/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The picture drawn by the GPU into a texture that has exactly the device pixels it takes, which
 * GTK then copies: sharp at fractional scales too, where a GtkGLArea's buffer has the next whole
 * one. Drawn when the frame clock asks, so that many changes between two frames are one. */

#include "display/gl-picture.h"
#include "display/presenter.h"
#include <epoxy/gl.h>
#include <math.h>

struct _VitrineGLPresenter {
    GtkWidget parent;
    VitrineFrame *frame;   /* owned */
    GdkGLContext *context; /* owned, while realized */
    GlPicture *picture;    /* owned, while realized; NULL: no OpenGL */
    GLuint framebuffer;
    Damage damage;
    GdkTexture *shown; /* owned: the last one drawn, or NULL */
    DisplayGeometry geometry;
    GArray *spare; /* of Target: textures that GTK no longer uses */
};

typedef struct {
    GLuint texture;
    int width, height;
} Target;

G_DEFINE_FINAL_TYPE(VitrineGLPresenter, vitrine_gl_presenter, GTK_TYPE_WIDGET)

/* Textures go round: GTK gives one back when the next has been shown. */
typedef struct {
    VitrineGLPresenter *presenter; /* owned */
    GdkGLContext *context;         /* owned; of the texture */
    Target target;
} Loan;

static void on_given_back(gpointer opaque)
{
    Loan *loan = opaque;
    VitrineGLPresenter *self = loan->presenter;
    GdkSurface *surface = gdk_gl_context_get_surface(loan->context);
    if (self->context == loan->context) {
        g_array_append_val(self->spare, loan->target);
    } else if (surface && !gdk_surface_is_destroyed(surface)) { /* else it went with the window */
        gdk_gl_context_make_current(loan->context);
        glDeleteTextures(1, &loan->target.texture);
        gdk_gl_context_clear_current();
    }
    g_object_unref(self);
    g_object_unref(loan->context);
    g_free(loan);
}

static void target_make(Target *target, int width, int height)
{
    glGenTextures(1, &target->texture);
    glBindTexture(GL_TEXTURE_2D, target->texture);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
    glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, width, height, 0, GL_RGBA, GL_UNSIGNED_BYTE, NULL);
    target->width = width;
    target->height = height;
}

/* A spare one of that size; those of other sizes will not be wanted again. */
static void presenter_take_target(VitrineGLPresenter *self, int width, int height, Target *out)
{
    *out = (Target){ 0 };
    for (guint i = self->spare->len; i-- > 0;) {
        Target *target = &g_array_index(self->spare, Target, i);
        if (!out->texture && target->width == width && target->height == height)
            *out = *target;
        else
            glDeleteTextures(1, &target->texture);
    }
    g_array_set_size(self->spare, 0);
    if (!out->texture)
        target_make(out, width, height);
}

static GdkTexture *presenter_draw(VitrineGLPresenter *self, const DisplayPlace *place)
{
    int width = (int)lround(self->geometry.width * place->scale),
        height = (int)lround(self->geometry.height * place->scale);
    Target target;
    presenter_take_target(self, width, height, &target);
    glBindFramebuffer(GL_FRAMEBUFFER, self->framebuffer);
    glFramebufferTexture2D(GL_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, target.texture, 0);
    glViewport(0, 0, width, height);
    gl_picture_draw(self->picture, self->geometry.nearest, true);
    glBindFramebuffer(GL_FRAMEBUFFER, 0);
    glFlush(); /* GTK draws with a context of its own */
    Loan *loan = g_new(Loan, 1);
    *loan = (Loan){ g_object_ref(self), g_object_ref(self->context), target };
    return gdk_gl_texture_new(self->context, target.texture, width, height, on_given_back, loan);
}

static void presenter_snapshot(GtkWidget *widget, GtkSnapshot *snapshot)
{
    VitrineGLPresenter *self = VITRINE_GL_PRESENTER(widget);
    DisplayPlace place;
    DisplayGeometry before = self->geometry, *g = &self->geometry;
    if (!self->picture)
        return;
    presenter_place(widget, &place);
    display_geometry_fit(vitrine_frame_get_width(self->frame),
                         vitrine_frame_get_height(self->frame), &place, g);
    bool moved = before.width != g->width || before.height != g->height;
    if (!self->shown || moved || !damage_is_empty(&self->damage)) {
        gdk_gl_context_make_current(self->context);
        g_clear_object(&self->shown);
        if (gl_picture_upload(self->picture, self->frame, &self->damage) && g->width > 0)
            self->shown = presenter_draw(self, &place);
    }
    if (self->shown)
        gtk_snapshot_append_texture(
            snapshot, self->shown,
            &GRAPHENE_RECT_INIT((float)g->x, (float)g->y, (float)g->width, (float)g->height));
}

static void presenter_realize(GtkWidget *widget)
{
    VitrineGLPresenter *self = VITRINE_GL_PRESENTER(widget);
    g_autoptr(GError) error = NULL;
    GTK_WIDGET_CLASS(vitrine_gl_presenter_parent_class)->realize(widget);
    GdkSurface *surface = gtk_native_get_surface(gtk_widget_get_native(widget));
    self->context = gdk_surface_create_gl_context(surface, &error);
    if (!self->context || !gdk_gl_context_realize(self->context, &error)) {
        g_warning("no OpenGL: %s", error->message);
        g_clear_object(&self->context);
        return;
    }
    gdk_gl_context_make_current(self->context);
    self->picture = gl_picture_new(gdk_gl_context_get_use_es(self->context));
    glGenFramebuffers(1, &self->framebuffer);
    damage_add_all(&self->damage);
}

static void presenter_unrealize(GtkWidget *widget)
{
    VitrineGLPresenter *self = VITRINE_GL_PRESENTER(widget);
    if (self->context) {
        gdk_gl_context_make_current(self->context);
        g_clear_object(&self->shown);
        for (guint i = 0; i < self->spare->len; i++)
            glDeleteTextures(1, &g_array_index(self->spare, Target, i).texture);
        g_array_set_size(self->spare, 0);
        glDeleteFramebuffers(1, &self->framebuffer);
        g_clear_pointer(&self->picture, gl_picture_free);
        gdk_gl_context_clear_current();
        g_clear_object(&self->context);
    }
    GTK_WIDGET_CLASS(vitrine_gl_presenter_parent_class)->unrealize(widget);
}

static void on_resized(VitrineFrame *frame, VitrineGLPresenter *self)
{
    damage_add_all(&self->damage);
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void on_damaged(VitrineFrame *frame, const VitrineRect *rect, VitrineGLPresenter *self)
{
    damage_add(&self->damage, rect);
    gtk_widget_queue_draw(GTK_WIDGET(self));
}

static void vitrine_gl_presenter_dispose(GObject *object)
{
    VitrineGLPresenter *self = VITRINE_GL_PRESENTER(object);
    if (self->frame)
        g_signal_handlers_disconnect_by_data(self->frame, self);
    g_clear_object(&self->frame);
    G_OBJECT_CLASS(vitrine_gl_presenter_parent_class)->dispose(object);
}

static void vitrine_gl_presenter_finalize(GObject *object)
{
    g_array_unref(VITRINE_GL_PRESENTER(object)->spare);
    G_OBJECT_CLASS(vitrine_gl_presenter_parent_class)->finalize(object);
}

static void vitrine_gl_presenter_class_init(VitrineGLPresenterClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_gl_presenter_dispose;
    G_OBJECT_CLASS(klass)->finalize = vitrine_gl_presenter_finalize;
    GTK_WIDGET_CLASS(klass)->realize = presenter_realize;
    GTK_WIDGET_CLASS(klass)->unrealize = presenter_unrealize;
    GTK_WIDGET_CLASS(klass)->snapshot = presenter_snapshot;
}

static void vitrine_gl_presenter_init(VitrineGLPresenter *self)
{
    self->spare = g_array_new(FALSE, FALSE, sizeof(Target));
}

GtkWidget *vitrine_gl_presenter_new(VitrineFrame *frame)
{
    VitrineGLPresenter *self = g_object_new(VITRINE_TYPE_GL_PRESENTER, NULL);
    self->frame = g_object_ref(frame);
    g_signal_connect(frame, "resized", G_CALLBACK(on_resized), self);
    g_signal_connect(frame, "damaged", G_CALLBACK(on_damaged), self);
    return GTK_WIDGET(self);
}
