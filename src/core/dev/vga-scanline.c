/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/vga-internal.h"

#include <string.h>

/* What the CRT controller, the shift registers and the attribute controller make of one line.
 * FreeVGA project, "CRTC Registers" and "Attribute Controller Registers". */

#define VGA_MAX_CHARACTERS 256u

void vga_colors(const VgaRegs *regs, VgaColors *out)
{
    bool wide = regs->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC;

    for (unsigned i = 0; i < 256; i++) {
        uint32_t color = 0;

        for (unsigned j = 0; j < 3; j++) {
            uint8_t level = regs->dac[3 * i + j];
            color = color << 8 | (wide ? level : (level & 0x3F) << 2 | (level & 0x3F) >> 4);
        }
        out->color[i] = color;
    }
    for (unsigned i = 0; i < 16; i++) {
        uint8_t index = regs->ar[i] & 0x3F;

        if (regs->ar[0x10] & 0x80)
            index = (index & 0x0F) | (regs->ar[0x14] & 3) << 4;
        index |= (regs->ar[0x14] & 0x0C) << 4;
        out->attribute[i] = out->color[index & regs->dac_mask];
    }
    /* Pixels of 256-colour modes go through the mask too. */
    if (regs->dac_mask != 0xFF) {
        VgaColors all = *out;

        for (unsigned i = 0; i < 256; i++)
            out->color[i] = all.color[i & regs->dac_mask];
    }
}

unsigned vga_shown_lines(const VgaRegs *regs)
{
    unsigned n = (regs->cr[0x12] | (regs->cr[7] & 2) << 7 | (regs->cr[7] & 0x40) << 3) + 1;

    return MIN(n, VGA_MAX_HEIGHT);
}

static unsigned vga_line_compare(const VgaRegs *regs)
{
    return regs->cr[0x18] | (regs->cr[7] & 0x10) << 4 | (regs->cr[9] & 0x40) << 3;
}

VgaLine vga_line(const VgaRegs *regs, unsigned y, bool is_text)
{
    const uint8_t *cr = regs->cr;
    unsigned character = (cr[9] & 0x1F) + 1, double_scan = cr[9] >> 7;
    unsigned start = cr[0x0C] << 8 | cr[0x0D], compare = vga_line_compare(regs);
    unsigned pan = cr[8] >> 5 & 3, scan;
    VgaLine line = { .is_lower = y > compare };

    if (line.is_lower) {
        scan = (y - compare - 1) >> double_scan;
        start = 0;
        if (regs->ar[0x10] & 0x20)
            pan = 0;
    } else {
        scan = (y >> double_scan) + (cr[8] & 0x1F);
    }
    line.scan = scan % character;
    line.word = start + pan + scan / character * cr[0x13] * 2;
    if (!is_text) { /* CGA and Hercules: lines of a character lie in banks */
        unsigned bit = cr[0x17] & 0x40 ? 13 : 12;

        if (!(cr[0x17] & 1))
            line.word = (line.word & ~(1u << bit)) | (line.scan & 1) << bit;
        if (!(cr[0x17] & 2))
            line.word = (line.word & ~(2u << bit)) | (line.scan >> 1 & 1) << (bit + 1);
    }
    line.word &= 0xFFFF;
    return line;
}

void vga_graphics_size(const VgaRegs *regs, unsigned *out_width, unsigned *out_height)
{
    unsigned width = (regs->cr[1] + 1) * 8 << (regs->sr[1] >> 3 & 1);

    *out_width = MIN(width, VGA_MAX_WIDTH);
    *out_height = vga_shown_lines(regs);
}

/* --- shift registers: words to eight dots each ------------------------------------------------ */

/* The bits of @byte as eight bytes of 0 or 1, the leftmost dot first. */
static inline uint64_t vga_dots(uint8_t byte)
{
    uint64_t bits = byte * UINT64_C(0x0101010101010101) & UINT64_C(0x0102040810204080);

    return (bits + UINT64_C(0x7F7F7F7F7F7F7F7F)) >> 7 & UINT64_C(0x0101010101010101);
}

static inline uint64_t vga_planar_dots(uint32_t word)
{
    return vga_dots(word) | vga_dots(word >> 8) << 1 | vga_dots(word >> 16) << 2 |
           vga_dots(word >> 24) << 3;
}

/* Two bits a dot, four dots from plane 0 (and 2), then four from plane 1 (and 3). */
static inline uint64_t vga_interleaved_dots(uint32_t word)
{
    uint64_t dots = 0;

    for (unsigned i = 0; i < 8; i++) {
        unsigned shift = 6 - 2 * (i & 3) + (i & 4) * 2;
        uint64_t dot = (word >> shift & 3) | (word >> (16 + shift) & 3) << 2;
        dots |= dot << 8 * i;
    }
    return dots;
}

/* A byte a pixel, two dots wide. */
static inline uint64_t vga_packed_dots(uint32_t word)
{
    uint64_t dots = 0;

    for (unsigned i = 0; i < 4; i++)
        dots |= (uint64_t)(word >> 8 * i & 0xFF) * 0x0101 << 16 * i;
    return dots;
}

static void vga_paint_dots(const uint8_t *dots, unsigned width, bool twice, const uint32_t *colors,
                           uint8_t mask, uint32_t *out)
{
    if (!twice) {
        for (unsigned x = 0; x < width; x++)
            out[x] = colors[dots[x] & mask];
        return;
    }
    for (unsigned x = 0; x < width; x++)
        out[x] = colors[dots[x / 2] & mask];
}

void vga_draw_graphics_line(const VgaRegs *regs, const VgaColors *colors, const uint32_t *vram,
                            VgaLine line, unsigned width, uint32_t *out)
{
    uint64_t dots[VGA_MAX_CHARACTERS + 1];
    unsigned n = regs->cr[1] + 2, shift = regs->gr[5] >> 5 & 3;
    unsigned pan = line.is_lower && (regs->ar[0x10] & 0x20) ? 0 : regs->ar[0x13] & 7;
    const uint32_t *palette = shift & 2 ? colors->color : colors->attribute;

    for (unsigned i = 0; i < n; i++) {
        uint32_t word = vram[(line.word + i) & 0xFFFF];

        dots[i] = shift & 2   ? vga_packed_dots(word)
                  : shift & 1 ? vga_interleaved_dots(word)
                              : vga_planar_dots(word);
    }
    vga_paint_dots((const uint8_t *)dots + pan, width, regs->sr[1] & 8, palette,
                   shift & 2 ? 0xFF : regs->ar[0x12] & 0x0F, out);
}

void vga_draw_planar_line(const VgaRegs *regs, const VgaColors *colors, const uint32_t *words,
                          unsigned width, uint32_t *out)
{
    uint64_t dots[VGA_MAX_WIDTH / 8];

    for (unsigned i = 0; i < (width + 7) / 8; i++)
        dots[i] = vga_planar_dots(words[i]);
    vga_paint_dots((const uint8_t *)dots, width, false, colors->attribute, 0x0F, out);
}

/* --- Bochs modes ------------------------------------------------------------------------------ */

static inline uint32_t vga_rgb(unsigned r, unsigned r_bits, unsigned g, unsigned g_bits, unsigned b)
{
    r = r << (8 - r_bits) | r >> (2 * r_bits - 8);
    g = g << (8 - g_bits) | g >> (2 * g_bits - 8);
    b = b << 3 | b >> 2;
    return r << 16 | g << 8 | b;
}

void vga_draw_linear_line(unsigned bpp, const VgaColors *colors, const uint8_t *line,
                          unsigned width, uint32_t *out)
{
    const uint16_t *words = (const uint16_t *)line;

    for (unsigned x = 0; x < width; x++) {
        switch (bpp) {
        case 8: out[x] = colors->color[line[x]]; break;
        case 15:
            out[x] = vga_rgb(words[x] >> 10 & 31, 5, words[x] >> 5 & 31, 5, words[x] & 31);
            break;
        case 16: out[x] = vga_rgb(words[x] >> 11, 5, words[x] >> 5 & 63, 6, words[x] & 31); break;
        case 24: out[x] = line[3 * x] | line[3 * x + 1] << 8 | line[3 * x + 2] << 16; break;
        default: memcpy(&out[x], line + 4 * x, 4); break;
        }
    }
}

/* --- text ------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t foreground, background;
    uint16_t dots; /* the leftmost is bit 8 (9 dots) */
} TextDots;

static TextDots vga_text_dots(const TextPainter *p, unsigned word, unsigned scan)
{
    uint32_t cell = p->vram[word];
    uint8_t character = cell, attribute = cell >> 8, mode = p->regs->ar[0x10];
    uint8_t mask = p->regs->ar[0x12] & 0x0F;
    uint8_t back = attribute >> 4 & (mode & 8 ? 7 : 15);
    uint16_t dots = p->fonts[attribute >> 3 & 1][character * 32 + scan] << 1;
    TextDots result;

    /* Line-drawing characters go on into the ninth dot. */
    if ((mode & 4) && (character & 0xE0) == 0xC0)
        dots |= dots >> 1 & 1;
    if ((attribute & 0x77) == 1 && scan == (p->regs->cr[0x14] & 0x1F)) /* underline */
        dots = 0x1FF;
    if ((mode & 8) && (attribute & 0x80) && !p->blink_on)
        dots = 0;
    if (p->cursor_on && (int)word == p->mode->cursor && scan >= p->mode->cursor_first &&
        scan <= p->mode->cursor_last)
        dots = 0x1FF;
    result.foreground = p->colors->attribute[attribute & mask];
    result.background = p->colors->attribute[back & mask];
    result.dots = dots;
    return result;
}

void vga_draw_text_line(const TextPainter *p, unsigned y, unsigned first, unsigned last,
                        uint32_t *out)
{
    const TextMode *mode = p->mode;
    VgaLine line = vga_line(p->regs, y, true);
    unsigned pan = line.is_lower && (p->regs->ar[0x10] & 0x20) ? 0 : mode->pan;
    int x = ((int)(first * mode->cell_width) - (int)pan) * (int)mode->scale_x;

    for (unsigned c = first; c < last; c++) {
        TextDots cell = vga_text_dots(p, (line.word + c) & 0xFFFF, line.scan);

        for (unsigned i = 0; i < mode->cell_width; i++) {
            uint32_t color = cell.dots >> (8 - i) & 1 ? cell.foreground : cell.background;

            for (unsigned j = 0; j < mode->scale_x; j++, x++) {
                if (x >= 0 && x < (int)mode->width)
                    out[x] = color;
            }
        }
    }
}
