/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/vga-internal.h"

#include <string.h>

/* The display side. It works on a copy of the registers, taken under the lock, and on video memory
 * as it is: a picture may show half a change, the next one shows the rest, as the pages that
 * change meanwhile are marked again. */

#define VGA_CURSOR_HALF_PERIOD_NS (228 * UINT64_C(1000000))
#define VGA_BLINK_HALF_PERIOD_NS (2 * VGA_CURSOR_HALF_PERIOD_NS)
#define VGA_CELL_CURSOR (1u << 16)
#define VGA_CELL_BLINKED (1u << 17)

/* The registers that the picture depends on, other than colours, cursor and start of text. */
typedef struct {
    uint8_t cr[13], sr[2], gr[2], ar[3];
    uint16_t start;
    DispiMode dispi;
} VgaShape;

struct VgaDisplay {
    Ram *picture; /* owned; where everything but 32-bit modes is drawn */
    uint8_t dirty[VGA_VRAM_SIZE >> RAM_PAGE_SHIFT];
    VgaSurface surface;
    VgaShape shape;
    VgaColors colors;
    uint8_t fonts[2][8192];
    uint32_t *cells; /* owned; as drawn: character, attribute, VGA_CELL_ flags */
    unsigned n_cells;
    bool blink_on, cursor_on;
    /* Under work */
    VgaRect *rects;
    unsigned n_rects;
};

VgaDisplay *vga_display_new(GError **error)
{
    VgaDisplay *d = g_new0(VgaDisplay, 1);

    /* Pages of a memfd cost nothing before they are drawn into. */
    d->picture = ram_new("vga-picture", VGA_MAX_WIDTH * VGA_MAX_HEIGHT * 4, error);
    if (!d->picture)
        g_clear_pointer(&d, vga_display_free);
    return d;
}

void vga_display_free(VgaDisplay *d)
{
    if (!d)
        return;
    ram_free(d->picture);
    g_free(d->cells);
    g_free(d);
}

/* --- rectangles ------------------------------------------------------------------------------- */

static void vga_add_rect(VgaDisplay *d, unsigned x, unsigned y, unsigned width, unsigned height)
{
    VgaRect *last = d->n_rects ? &d->rects[d->n_rects - 1] : NULL;
    unsigned right, bottom;

    if (last && last->x == x && last->width == width && last->y + last->height == y) {
        last->height += height;
        return;
    }
    if (d->n_rects < VGA_MAX_RECTS) {
        d->rects[d->n_rects++] = (VgaRect){ x, y, width, height };
        return;
    }
    right = MAX(last->x + last->width, x + width);
    bottom = MAX(last->y + last->height, y + height);
    last->x = MIN(last->x, x);
    last->y = MIN(last->y, y);
    last->width = right - last->x;
    last->height = bottom - last->y;
}

static void vga_add_all(VgaDisplay *d)
{
    d->rects[0] = (VgaRect){ 0, 0, d->surface.width, d->surface.height };
    d->n_rects = 1;
}

static bool vga_bytes_are_dirty(const VgaDisplay *d, uint64_t start, uint64_t n)
{
    for (uint64_t page = start >> RAM_PAGE_SHIFT; page <= (start + n - 1) >> RAM_PAGE_SHIFT;
         page++) {
        if (d->dirty[page])
            return true;
    }
    return false;
}

static bool vga_words_are_dirty(const VgaDisplay *d, unsigned word, unsigned n)
{
    unsigned before_wrap = MIN(n, 0x10000 - word);

    return vga_bytes_are_dirty(d, word * 4, before_wrap * 4) ||
           (n > before_wrap && vga_bytes_are_dirty(d, 0, (n - before_wrap) * 4));
}

static uint32_t *vga_picture_line(const VgaDisplay *d, unsigned y)
{
    return (uint32_t *)(d->picture->host + (uint64_t)y * d->surface.stride);
}

/* --- graphics --------------------------------------------------------------------------------- */

static void vga_refresh_dispi(VgaDisplay *d, const Vga *vga, const VgaRegs *regs, bool all)
{
    const DispiMode *mode = &d->shape.dispi;
    bool planar = mode->bpp == 4, direct = d->surface.ram == vga->vram;
    unsigned unit = planar ? 4 : 1;
    unsigned line_bytes = planar ? (mode->width + 7) / 8 * 4 : mode->width * ((mode->bpp + 7) / 8);

    for (unsigned y = 0; y < mode->height; y++) {
        uint64_t at = (uint64_t)(mode->start + y * mode->stride) * unit;
        const uint8_t *line = vga->vram->host + at;

        if (!all && !vga_bytes_are_dirty(d, at, line_bytes))
            continue;
        if (planar)
            vga_draw_planar_line(regs, &d->colors, (const uint32_t *)line, mode->width,
                                 vga_picture_line(d, y));
        else if (!direct)
            vga_draw_linear_line(mode->bpp, &d->colors, line, mode->width, vga_picture_line(d, y));
        vga_add_rect(d, 0, y, mode->width, 1);
    }
}

static void vga_refresh_graphics(VgaDisplay *d, const Vga *vga, const VgaRegs *regs, bool all)
{
    VgaLine drawn = { .word = UINT_MAX };

    for (unsigned y = 0; y < d->surface.height; y++) {
        VgaLine line = vga_line(regs, y, false);

        if (!all && !vga_words_are_dirty(d, line.word, regs->cr[1] + 2))
            continue;
        if (line.word == drawn.word && line.is_lower == drawn.is_lower) /* double scan */
            memcpy(vga_picture_line(d, y), vga_picture_line(d, y - 1), d->surface.width * 4);
        else
            vga_draw_graphics_line(regs, &d->colors, (const uint32_t *)vga->vram->host, line,
                                   d->surface.width, vga_picture_line(d, y));
        drawn = line;
        vga_add_rect(d, 0, y, d->surface.width, 1);
    }
}

/* --- text ------------------------------------------------------------------------------------- */

/* Copies the two fonts out of plane 2; whether they differ from those drawn with. */
static bool vga_fetch_fonts(VgaDisplay *d, const Vga *vga, const VgaRegs *regs)
{
    const uint32_t *vram = (const uint32_t *)vga->vram->host;
    uint8_t map = regs->sr[3];
    unsigned select[2] = { (map & 3) | (map >> 4 & 1) << 2, (map >> 2 & 3) | (map >> 5 & 1) << 2 };
    bool differ = false;

    for (unsigned i = 0; i < 2; i++) {
        unsigned base = (select[i] & 3) << 14 | (select[i] & 4) << 11;
        for (unsigned j = 0; j < 8192; j++) {
            uint8_t byte = vram[base + j] >> 16;
            differ |= d->fonts[i][j] != byte;
            d->fonts[i][j] = byte;
        }
    }
    return differ;
}

static uint32_t vga_shown_cell(const TextPainter *p, unsigned word)
{
    uint32_t cell = p->vram[word] & 0xFFFF;

    if (p->cursor_on && (int)word == p->mode->cursor)
        cell |= VGA_CELL_CURSOR;
    if ((cell & 0x8000) && (p->regs->ar[0x10] & 8) && !p->blink_on)
        cell |= VGA_CELL_BLINKED;
    return cell;
}

static void vga_draw_cells(VgaDisplay *d, const TextPainter *p, unsigned row, unsigned first,
                           unsigned last)
{
    const TextMode *mode = p->mode;
    unsigned lines = mode->cell_height * mode->scale_y;
    unsigned y = row * lines, n = MIN(lines, mode->height - y);

    for (unsigned i = 0; i < n; i++) {
        if (i % mode->scale_y)
            memcpy(vga_picture_line(d, y + i), vga_picture_line(d, y + i - 1), mode->width * 4);
        else
            vga_draw_text_line(p, y + i, first, last, vga_picture_line(d, y + i));
    }
    vga_add_rect(d, first * mode->cell_width * mode->scale_x, y,
                 (last - first) * mode->cell_width * mode->scale_x, n);
}

/* Rows of cells on a grid: only cells that differ from what was drawn are drawn. */
static void vga_refresh_cells(VgaDisplay *d, const TextPainter *p, bool all)
{
    const TextMode *mode = p->mode;
    unsigned lines = mode->cell_height * mode->scale_y;
    unsigned rows = (mode->height + lines - 1) / lines; /* the last may be cut */

    if (d->n_cells != rows * mode->columns) {
        d->n_cells = rows * mode->columns;
        d->cells = g_renew(uint32_t, d->cells, d->n_cells);
        all = true;
    }
    for (unsigned row = 0; row < rows; row++) {
        unsigned word = vga_line(p->regs, row * lines, true).word;
        uint32_t *cells = d->cells + row * mode->columns;
        unsigned first = mode->columns, last = 0;

        for (unsigned c = 0; c < mode->columns; c++) {
            uint32_t cell = vga_shown_cell(p, (word + c) & 0xFFFF);

            if (cell == cells[c] && !all)
                continue;
            cells[c] = cell;
            first = MIN(first, c);
            last = c + 1;
        }
        if (first < last)
            vga_draw_cells(d, p, row, first, last);
    }
}

static void vga_refresh_text(VgaDisplay *d, const Vga *vga, const VgaRegs *regs,
                             const TextMode *mode, uint64_t now_ns, bool touched, bool all)
{
    bool blink_on = now_ns / VGA_BLINK_HALF_PERIOD_NS % 2 == 0;
    bool cursor_on = mode->cursor >= 0 && now_ns / VGA_CURSOR_HALF_PERIOD_NS % 2 == 0;
    TextPainter painter = { .regs = regs,
                            .mode = mode,
                            .colors = &d->colors,
                            .vram = (const uint32_t *)vga->vram->host,
                            .fonts = d->fonts,
                            .blink_on = blink_on,
                            .cursor_on = cursor_on };

    if (touched || all)
        all |= vga_fetch_fonts(d, vga, regs);
    if (!mode->is_split) {
        vga_refresh_cells(d, &painter, all);
    } else if (all || touched || d->blink_on != blink_on || d->cursor_on != cursor_on ||
               d->shape.start != mode->start) {
        d->n_cells = 0;
        for (unsigned y = 0; y < mode->height; y++)
            vga_draw_text_line(&painter, y, 0, mode->columns + 1, vga_picture_line(d, y));
        vga_add_all(d);
    }
    d->blink_on = blink_on;
    d->cursor_on = cursor_on;
}

/* --- the surface ------------------------------------------------------------------------------ */

static bool vga_is_blank(const VgaRegs *regs)
{
    if (!(regs->ar_index & 0x20)) /* the palette belongs to the processor */
        return true;
    return !vga_dispi_enabled(regs) && ((regs->sr[1] & 0x20) || !(regs->cr[0x17] & 0x80));
}

static void vga_shape(const VgaRegs *regs, const TextMode *text, VgaShape *s)
{
    static const uint8_t cr[] = {
        0x01, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x12, 0x13, 0x14, 0x17, 0x18
    };

    memset(s, 0, sizeof(*s));
    if (vga_dispi_enabled(regs)) {
        vga_dispi_mode(regs, &s->dispi);
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(cr); i++)
        s->cr[i] = regs->cr[cr[i]];
    s->sr[0] = regs->sr[1];
    s->sr[1] = regs->sr[3];
    s->gr[0] = regs->gr[5];
    s->gr[1] = regs->gr[6];
    memcpy(s->ar, (uint8_t[]){ regs->ar[0x10], regs->ar[0x12], regs->ar[0x13] }, 3);
    /* Text that scrolls by its start address is compared cell by cell all the same. */
    if (!text)
        s->start = regs->cr[0x0C] << 8 | regs->cr[0x0D];
}

static void vga_surface(const VgaDisplay *d, const Vga *vga, const VgaRegs *regs,
                        const TextMode *text, VgaSurface *s)
{
    s->ram = d->picture;
    s->offset = 0;
    s->blank = false;
    s->is_text = text != NULL;
    if (text) {
        s->width = text->width;
        s->height = text->height;
    } else if (vga_dispi_enabled(regs)) {
        DispiMode mode;

        vga_dispi_mode(regs, &mode);
        s->width = mode.width;
        s->height = mode.height;
        if (mode.bpp == 32) { /* the guest's own memory */
            s->ram = vga->vram;
            s->offset = mode.start;
            s->stride = mode.stride;
            return;
        }
    } else {
        vga_graphics_size(regs, &s->width, &s->height);
    }
    s->stride = s->width * 4;
}

static bool vga_surfaces_equal(const VgaSurface *a, const VgaSurface *b)
{
    return a->width == b->width && a->height == b->height && a->stride == b->stride &&
           a->ram == b->ram && a->offset == b->offset && a->is_text == b->is_text &&
           a->blank == b->blank;
}

/* A dark screen keeps its size, so that a mode switch is not seen as two. */
static void vga_next_surface(VgaDisplay *d, const Vga *vga, const VgaRegs *regs,
                             const TextMode *text)
{
    VgaSurface next = d->surface;

    if (!vga_is_blank(regs)) {
        vga_surface(d, vga, regs, text, &next);
    } else {
        next.blank = true;
        if (!next.width) {
            next.width = 720;
            next.height = 400;
            next.stride = 720 * 4;
            next.ram = d->picture;
        }
    }
    if (!vga_surfaces_equal(&next, &d->surface))
        next.generation++;
    d->surface = next;
}

unsigned vga_refresh(Vga *vga, VgaSurface *out_surface, VgaRect out_rects[VGA_MAX_RECTS])
{
    VgaDisplay *d = vga->display;
    unsigned generation = d->surface.generation;
    bool touched, is_text, all;
    uint64_t now_ns;
    TextMode text;
    VgaRegs regs;
    VgaShape shape;
    VgaColors colors;

    device_enter(&vga->pci.dev);
    regs = vga->regs;
    now_ns = clock_now_ns(vga->pci.dev.machine->clock);
    device_leave(&vga->pci.dev);

    touched = machine_take_dirty(vga->pci.dev.machine, vga->vram, d->dirty);
    is_text = vga_text_mode(&regs, &text);
    vga_next_surface(d, vga, &regs, is_text ? &text : NULL);
    vga_colors(&regs, &colors);
    vga_shape(&regs, is_text ? &text : NULL, &shape);
    all = d->surface.generation != generation || memcmp(&shape, &d->shape, sizeof(shape)) != 0 ||
          memcmp(&colors, &d->colors, sizeof(colors)) != 0;
    d->shape = shape;
    d->colors = colors;
    d->rects = out_rects;
    d->n_rects = 0;
    if (d->surface.blank)
        ;
    else if (is_text)
        vga_refresh_text(d, vga, &regs, &text, now_ns, touched, all);
    else if (vga_dispi_enabled(&regs) && (touched || all))
        vga_refresh_dispi(d, vga, &regs, all);
    else if (touched || all)
        vga_refresh_graphics(d, vga, &regs, all);
    if (d->surface.generation != generation)
        vga_add_all(d);
    *out_surface = d->surface;
    return d->n_rects;
}
