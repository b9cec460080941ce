/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "display/gl-picture.h"
#include <epoxy/gl.h>

struct GlPicture {
    GLuint program, vertex_array, texture;
    GLint flip_location;
    unsigned width, height; /* of the texture */
    GLint max_size;
    bool warned;
};

static const char vertex_source[] =
    "out vec2 at;\n"
    "uniform float flip;\n"
    "void main() {\n"
    "    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);\n"
    "    at = vec2(corner.x, 1.0 - corner.y);\n"
    "    gl_Position = vec4(corner.x * 2.0 - 1.0, (corner.y * 2.0 - 1.0) * flip, 0.0, 1.0);\n"
    "}\n";
/* Uploaded as bytes B G R X, so that GLES without BGRA works too. */
static const char fragment_source[] =
    "in vec2 at;\n"
    "out vec4 colour;\n"
    "uniform sampler2D picture;\n"
    "void main() { colour = vec4(texture(picture, at).bgr, 1.0); }\n";

static GLuint gl_compile(GLenum kind, const char *source, bool gles)
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

static GLuint gl_link(bool gles)
{
    GLuint vertex = gl_compile(GL_VERTEX_SHADER, vertex_source, gles);
    GLuint fragment = gl_compile(GL_FRAGMENT_SHADER, fragment_source, gles);
    GLuint program = glCreateProgram();
    GLint ok = 0;
    glAttachShader(program, vertex);
    glAttachShader(program, fragment);
    glLinkProgram(program);
    glDeleteShader(vertex);
    glDeleteShader(fragment);
    glGetProgramiv(program, GL_LINK_STATUS, &ok);
    if (ok)
        return program;
    glDeleteProgram(program);
    return 0;
}

GlPicture *gl_picture_new(bool gles)
{
    GLuint program = gl_link(gles);
    if (!program) {
        g_warning("the display's shader does not link");
        return NULL;
    }
    GlPicture *picture = g_new0(GlPicture, 1);
    picture->program = program;
    picture->flip_location = glGetUniformLocation(program, "flip");
    glGenVertexArrays(1, &picture->vertex_array);
    glGenTextures(1, &picture->texture);
    glGetIntegerv(GL_MAX_TEXTURE_SIZE, &picture->max_size);
    return picture;
}

void gl_picture_free(GlPicture *picture)
{
    if (!picture)
        return;
    glDeleteProgram(picture->program);
    glDeleteVertexArrays(1, &picture->vertex_array);
    glDeleteTextures(1, &picture->texture);
    g_free(picture);
}

static void gl_picture_resize(GlPicture *picture, unsigned width, unsigned height)
{
    glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA8, (GLsizei)width, (GLsizei)height, 0, GL_RGBA,
                 GL_UNSIGNED_BYTE, NULL);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
    picture->width = width;
    picture->height = height;
}

static void gl_picture_upload_rect(const uint8_t *pixels, unsigned stride, const VitrineRect *rect)
{
    glTexSubImage2D(GL_TEXTURE_2D, 0, rect->x, rect->y, rect->width, rect->height, GL_RGBA,
                    GL_UNSIGNED_BYTE, pixels + (size_t)rect->y * stride + (size_t)rect->x * 4);
}

static bool gl_picture_can_hold(GlPicture *picture, unsigned width, unsigned height)
{
    if (width <= (unsigned)picture->max_size && height <= (unsigned)picture->max_size)
        return true;
    if (!picture->warned)
        g_warning("the graphics driver cannot show a picture of %u × %u", width, height);
    picture->warned = true;
    return false;
}

bool gl_picture_upload(GlPicture *picture, VitrineFrame *frame, Damage *damage)
{
    unsigned width = vitrine_frame_get_width(frame), height = vitrine_frame_get_height(frame),
             stride;
    const uint8_t *pixels = vitrine_frame_get_pixels(frame, &stride);
    if (!pixels || !gl_picture_can_hold(picture, width, height))
        return false;
    glBindTexture(GL_TEXTURE_2D, picture->texture);
    if (picture->width != width || picture->height != height) {
        gl_picture_resize(picture, width, height);
        damage_add_all(damage);
    }
    glPixelStorei(GL_UNPACK_ALIGNMENT, 4);
    glPixelStorei(GL_UNPACK_ROW_LENGTH, (GLint)(stride / 4));
    if (damage->all)
        gl_picture_upload_rect(pixels, stride, &(VitrineRect){ 0, 0, (int)width, (int)height });
    for (unsigned i = 0; i < damage->n_rects; i++)
        gl_picture_upload_rect(pixels, stride, &damage->rects[i]);
    glPixelStorei(GL_UNPACK_ROW_LENGTH, 0);
    damage_clear(damage);
    return true;
}

void gl_picture_draw(GlPicture *picture, bool nearest, bool flipped)
{
    GLint filter = nearest ? GL_NEAREST : GL_LINEAR;
    glBindTexture(GL_TEXTURE_2D, picture->texture);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, filter);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, filter);
    glDisable(GL_BLEND);
    glUseProgram(picture->program);
    glUniform1f(picture->flip_location, flipped ? -1 : 1);
    glBindVertexArray(picture->vertex_array);
    glDrawArrays(GL_TRIANGLE_STRIP, 0, 4);
    glBindVertexArray(0);
    glUseProgram(0);
}
