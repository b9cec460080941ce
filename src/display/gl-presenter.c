/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* The picture as one texture; what changed is uploaded straight from the engine's framebuffer. */

#include "display/geometry.h"
#include "display/presenter.h"
#include <epoxy/gl.h>

struct _VitrineGLPresenter {
    GtkGLArea parent;
    VitrineFrame *frame; /* owned */
    GLuint program, vertex_array, texture;
    unsigned texture_width, texture_height;
    bool all_dirty;
    VitrineRect dirty; /* union of what changed since the last frame; width 0: nothing */
};

G_DEFINE_FINAL_TYPE(VitrineGLPresenter, vitrine_gl_presenter, GTK_TYPE_GL_AREA)

static const char vertex_source[] = "out vec2 at;\n"
                                    "void main() {\n"
                                    "    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);\n"
                                    "    at = vec2(corner.x, 1.0 - corner.y);\n"
                                    "    gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);\n"
                                    "}\n";
/* Uploaded as bytes B G R X, so that GLES without BGRA works too. */
static const char fragment_source[] =
    "in vec2 at;\n"
    "out vec4 colour;\n"
    "uniform sampler2D picture;\n"
    "void main() { colour = vec4(texture(picture, at).bgr, 1.0); }\n";

static GLuint compile(GLenum kind, const char *source, bool gles)
{
    const char *parts[] = { gles ? "#version 300 es\nprecision highp float;\n" : "#version 150\n",
                            source };
    GLuint shader = glCreateShader(kind);
    GLint ok = 0;
    glShaderSource(shader, 2, parts, NULL);
    glCompileShader(shader);
    glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
    if (!ok) {
        char log[512];
        glGetShaderInfoLog(shader, sizeof log, NULL, log);
        g_warning("display shader: %s", log);
    }
    return shader;
}

static void presenter_realize(GtkWidget *widget)
{
    VitrineGLPresenter *self = VITRINE_GL_PRESENTER(widget);
    GTK_WIDGET_CLASS(vitrine_gl_presenter_parent_class)->realize(widget);
    gtk_gl_area_make_current(GTK_GL_AREA(self));
    if (gtk_gl_area_get_error(GTK_GL_AREA(self)))
        return;
    bool gles = gdk_gl_context_get_use_es(gtk_gl_area_get_context(GTK_GL_AREA(self)));
    GLuint vertex = compile(GL_VERTEX_SHADER, vertex_source, gles);
    GLuint fragment = compile(GL_FRAGMENT_SHADER, fragment_source, gles);
    self->program = glCreateProgram();
    glAttachShader(self->program, vertex);
    glAttachShader(self->program, fragment);
    glLinkProgram(self->program);
    glDeleteShader(vertex);
    glDeleteShader(fragment);
    glGenVertexArrays(1, &self->vertex_array);
    glGenTextures(1, &self->texture);
    self->texture_width = self->texture_height = 0;
    self->all_dirty = true;
}

static void presenter_unrealize(GtkWidget *widget)
{
    VitrineGLPresenter *self = VITRINE_GL_PRESENTER(widget);
    gtk_gl_area_make_current(GTK_GL_AREA(self));
    if (!gtk_gl_area_get_error(GTK_GL_AREA(self))) {
        glDeleteProgram(self->program);
        glDeleteVertexArrays(1, &self->vertex_array);
        glDeleteTextures(1, &self->texture);
    }
    GTK_WIDGET_CLASS(vitrine_gl_presenter_parent_class)->unrealize(widget);
}

static void presenter_upload(VitrineGLPresenter *self, const uint8_t *pixels, unsigned stride,
                             unsigned width, unsigned height)
{
    glBindTexture(GL_TEXTURE_2D, self->texture);
    if (self->texture_width != width || self->texture_height != height) {
        glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, (GLsizei)width, (GLsizei)height, 0, GL_RGBA,
                     GL_UNSIGNED_BYTE, NULL);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
        glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
        self->texture_width = width;
        self->texture_height = height;
        self->all_dirty = true;
    }
    VitrineRect rect =
        self->all_dirty ? (VitrineRect){ 0, 0, (int)width, (int)height } : self->dirty;
    if (rect.width > 0) {
        glPixelStorei(GL_UNPACK_ALIGNMENT, 4);
        glPixelStorei(GL_UNPACK_ROW_LENGTH, (GLint)(stride / 4));
        glTexSubImage2D(GL_TEXTURE_2D, 0, rect.x, rect.y, rect.width, rect.height, GL_RGBA,
                        GL_UNSIGNED_BYTE, pixels + (size_t)rect.y * stride + (size_t)rect.x * 4);
        glPixelStorei(GL_UNPACK_ROW_LENGTH, 0);
    }
    self->all_dirty = false;
    self->dirty = (VitrineRect){ 0 };
}

static gboolean presenter_render(GtkGLArea *area, GdkGLContext *context)
{
    VitrineGLPresenter *self = VITRINE_GL_PRESENTER(area);
    unsigned width = vitrine_frame_get_width(self->frame),
             height = vitrine_frame_get_height(self->frame), stride;
    const uint8_t *pixels = vitrine_frame_get_pixels(self->frame, &stride);
    GtkWidget *widget = GTK_WIDGET(area);
    glClearColor(0, 0, 0, 1);
    glClear(GL_COLOR_BUFFER_BIT);
    if (!pixels)
        return TRUE;
    DisplayGeometry g;
    double scale = gtk_widget_get_scale_factor(widget); /* what a GtkGLArea's buffer has */
    display_geometry_fit(width, height, gtk_widget_get_width(widget), gtk_widget_get_height(widget),
                         scale, &g);
    presenter_upload(self, pixels, stride, width, height);
    GLint filter = g.nearest ? GL_NEAREST : GL_LINEAR;
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, filter);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, filter);
    double bottom = gtk_widget_get_height(widget) - g.y - g.height;
    GLint viewport[4];
    glGetIntegerv(GL_VIEWPORT, viewport);
    glViewport((GLint)(g.x * scale), (GLint)(bottom * scale), (GLsizei)(g.width * scale),
               (GLsizei)(g.height * scale));
    glUseProgram(self->program);
    glBindVertexArray(self->vertex_array);
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
    glBindVertexArray(0);
    glUseProgram(0);
    glViewport(viewport[0], viewport[1], viewport[2], viewport[3]);
    return TRUE;
}

static void on_resized(VitrineFrame *frame, VitrineGLPresenter *self)
{
    self->all_dirty = true;
    gtk_gl_area_queue_render(GTK_GL_AREA(self));
}

static void on_damaged(VitrineFrame *frame, const VitrineRect *rect, VitrineGLPresenter *self)
{
    VitrineRect *dirty = &self->dirty;
    if (dirty->width == 0) {
        *dirty = *rect;
    } else {
        int right = MAX(dirty->x + dirty->width, rect->x + rect->width);
        int bottom = MAX(dirty->y + dirty->height, rect->y + rect->height);
        dirty->x = MIN(dirty->x, rect->x);
        dirty->y = MIN(dirty->y, rect->y);
        dirty->width = right - dirty->x;
        dirty->height = bottom - dirty->y;
    }
    gtk_gl_area_queue_render(GTK_GL_AREA(self));
}

static void vitrine_gl_presenter_dispose(GObject *object)
{
    VitrineGLPresenter *self = VITRINE_GL_PRESENTER(object);
    if (self->frame)
        g_signal_handlers_disconnect_by_data(self->frame, self);
    g_clear_object(&self->frame);
    G_OBJECT_CLASS(vitrine_gl_presenter_parent_class)->dispose(object);
}

static void vitrine_gl_presenter_class_init(VitrineGLPresenterClass *klass)
{
    G_OBJECT_CLASS(klass)->dispose = vitrine_gl_presenter_dispose;
    GTK_WIDGET_CLASS(klass)->realize = presenter_realize;
    GTK_WIDGET_CLASS(klass)->unrealize = presenter_unrealize;
    GTK_GL_AREA_CLASS(klass)->render = presenter_render;
}

static void vitrine_gl_presenter_init(VitrineGLPresenter *self)
{
    gtk_gl_area_set_auto_render(GTK_GL_AREA(self), FALSE);
}

GtkWidget *vitrine_gl_presenter_new(VitrineFrame *frame)
{
    VitrineGLPresenter *self = g_object_new(VITRINE_TYPE_GL_PRESENTER, NULL);
    self->frame = g_object_ref(frame);
    g_signal_connect(frame, "resized", G_CALLBACK(on_resized), self);
    g_signal_connect(frame, "damaged", G_CALLBACK(on_damaged), self);
    return GTK_WIDGET(self);
}
