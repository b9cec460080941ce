/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/picture.h"
#include "base/errors.h"
#include <glib/gi18n.h>
#include <png.h>

Picture *picture_new(unsigned width, unsigned height)
{
    Picture *picture = g_new0(Picture, 1);
    picture->width = MAX(width, 1);
    picture->height = MAX(height, 1);
    picture->pixels = g_new0(uint32_t, (gsize)picture->width * picture->height);
    return picture;
}

void picture_free(Picture *picture)
{
    if (!picture)
        return;
    g_free(picture->pixels);
    g_free(picture);
}

/* The mean of the source rectangle. */
static uint32_t mean_pixel(const Picture *picture, unsigned x0, unsigned y0, unsigned x1,
                           unsigned y1)
{
    uint64_t red = 0, green = 0, blue = 0, n = (uint64_t)(x1 - x0) * (y1 - y0);
    for (unsigned y = y0; y < y1; y++)
        for (unsigned x = x0; x < x1; x++) {
            uint32_t pixel = picture->pixels[(gsize)y * picture->width + x];
            red += pixel >> 16 & 0xff;
            green += pixel >> 8 & 0xff;
            blue += pixel & 0xff;
        }
    return (uint32_t)(red / n) << 16 | (uint32_t)(green / n) << 8 | (uint32_t)(blue / n);
}

Picture *picture_scale_down(const Picture *picture, unsigned max_width)
{
    unsigned width = MIN(picture->width, max_width);
    Picture *small = picture_new(width, (uint64_t)picture->height * width / picture->width);
    for (unsigned y = 0; y < small->height; y++)
        for (unsigned x = 0; x < small->width; x++) {
            unsigned x0 = (uint64_t)x * picture->width / small->width;
            unsigned y0 = (uint64_t)y * picture->height / small->height;
            unsigned x1 = (uint64_t)(x + 1) * picture->width / small->width;
            unsigned y1 = (uint64_t)(y + 1) * picture->height / small->height;
            small->pixels[(gsize)y * small->width + x] =
                mean_pixel(picture, x0, y0, MAX(x1, x0 + 1), MAX(y1, y0 + 1));
        }
    return small;
}

static void on_png_data(png_structp png, png_bytep data, png_size_t length)
{
    g_byte_array_append(png_get_io_ptr(png), data, length);
}

static void on_png_flush(png_structp png)
{
}

static void on_png_error(png_structp png, png_const_charp message)
{
    g_warning("libpng: %s", message);
    png_longjmp(png, 1);
}

/* libpng leaves by longjmp: nothing owned may live in this frame. */
static bool write_png(const Picture *picture, GByteArray *out, uint8_t *row, png_structp png,
                      png_infop info)
{
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_write_fn(png, out, on_png_data, on_png_flush);
    png_set_IHDR(png, info, picture->width, picture->height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png, 3);
    png_set_filter(png, 0, PNG_FILTER_SUB);
    png_write_info(png, info);
    for (unsigned y = 0; y < picture->height; y++) {
        const uint32_t *pixels = picture->pixels + (gsize)y * picture->width;
        for (unsigned x = 0; x < picture->width; x++) {
            row[3 * x] = pixels[x] >> 16;
            row[3 * x + 1] = pixels[x] >> 8;
            row[3 * x + 2] = pixels[x];
        }
        png_write_row(png, row);
    }
    png_write_end(png, info);
    return true;
}

GBytes *picture_to_png(const Picture *picture, GError **error)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autofree uint8_t *row = g_malloc(3 * (gsize)picture->width);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_png_error, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool good = info && write_png(picture, out, row, png, info);
    png_destroy_write_struct(&png, &info);
    if (!good) {
        g_set_error(error, APP_ERROR, APP_ERROR_FAILED,
                    _("The picture could not be written as PNG"));
        return NULL;
    }
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
