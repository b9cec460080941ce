/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/vga.h"
#include "core/pci/pci.h"
#include "dev-fixture.h"

#include <string.h>

#define DEVFN PCI_DEVFN(1, 0)
#define FRAMEBUFFER UINT64_C(0xE0000000)
#define MMIO UINT64_C(0xE1000000)

typedef struct {
    Board *board;
    Device *dev;
    Vga *vga;
    VgaSurface surface;
    VgaRect rects[VGA_MAX_RECTS];
    unsigned n_rects;
} Fixture;

static void out(Fixture *f, unsigned port, unsigned size, uint32_t value)
{
    board_out(f->board, port, size, value);
}

static uint8_t in(Fixture *f, unsigned port)
{
    return board_in(f->board, port, 1);
}

static void poke(Fixture *f, uint64_t address, unsigned size, uint64_t value)
{
    g_rec_mutex_lock(&f->board->machine.lock);
    address_space_write(f->board->machine.memory, address, size, value);
    g_rec_mutex_unlock(&f->board->machine.lock);
}

static uint64_t peek(Fixture *f, uint64_t address, unsigned size)
{
    uint64_t value;

    g_rec_mutex_lock(&f->board->machine.lock);
    value = address_space_read(f->board->machine.memory, address, size);
    g_rec_mutex_unlock(&f->board->machine.lock);
    return value;
}

static void config(Fixture *f, unsigned offset, unsigned size, uint32_t value)
{
    g_rec_mutex_lock(&f->board->machine.lock);
    pci_config_write(f->board->machine.pci, 0, DEVFN, offset, size, value);
    g_rec_mutex_unlock(&f->board->machine.lock);
}

static void dispi(Fixture *f, unsigned index, uint16_t value)
{
    out(f, 0x1CE, 2, index);
    out(f, 0x1CF, 2, value);
}

static uint16_t dispi_read(Fixture *f, unsigned index)
{
    out(f, 0x1CE, 2, index);
    return board_in(f->board, 0x1CF, 2);
}

static void dispi_mode(Fixture *f, unsigned width, unsigned height, unsigned bpp)
{
    dispi(f, 4, 0);
    dispi(f, 1, width);
    dispi(f, 2, height);
    dispi(f, 3, bpp);
    dispi(f, 4, 0x41);
    in(f, 0x3DA);
    out(f, 0x3C0, 1, 0x20);
}

static void refresh(Fixture *f)
{
    f->n_rects = vga_refresh(f->vga, &f->surface, f->rects);
}

static uint32_t pixel(Fixture *f, unsigned x, unsigned y)
{
    uint32_t value;

    assert_true(x < f->surface.width && y < f->surface.height);
    memcpy(&value, f->surface.ram->host + f->surface.offset + y * f->surface.stride + 4 * x, 4);
    return value & 0xFFFFFF;
}

static void graphics(Fixture *f, unsigned index, uint8_t value)
{
    out(f, 0x3CE, 2, index | value << 8);
}

static void sequencer(Fixture *f, unsigned index, uint8_t value)
{
    out(f, 0x3C4, 2, index | value << 8);
}

typedef struct {
    uint8_t misc, sr[4], cr[25], gr[9], ar_mode, ar_pan;
} ModeTable;

/* IBM's own values. */
static const ModeTable mode_3 = {
    0x67,
    { 0x00, 0x03, 0x00, 0x02 },
    { 0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00,
      0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF },
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x00, 0xFF },
    0x0C,
    0x08,
};
static const ModeTable mode_4 = {
    0x63,
    { 0x09, 0x03, 0x00, 0x02 },
    { 0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, 0xBF, 0x1F, 0x00, 0xC1, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x14, 0x00, 0x96, 0xB9, 0xA2, 0xFF },
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0F, 0x00, 0xFF },
    0x01,
    0x00,
};
static const ModeTable mode_12 = {
    0xE3,
    { 0x01, 0x0F, 0x00, 0x06 },
    { 0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0x0B, 0x3E, 0x00, 0x40, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0xEA, 0x8C, 0xDF, 0x28, 0x00, 0xE7, 0x04, 0xE3, 0xFF },
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0F, 0xFF },
    0x01,
    0x00,
};
static const ModeTable mode_13 = {
    0x63,
    { 0x01, 0x0F, 0x00, 0x0E },
    { 0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, 0xBF, 0x1F, 0x00, 0x41, 0x00, 0x00, 0x00,
      0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x40, 0x96, 0xB9, 0xA3, 0xFF },
    { 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0F, 0xFF },
    0x41,
    0x00,
};

static void attribute(Fixture *f, unsigned index, uint8_t value)
{
    out(f, 0x3C0, 1, index);
    out(f, 0x3C0, 1, value);
}

/* DAC entry i is (i, i ^ 3Fh, 2 × i) mod 64, palette register i is i. */
static void set_palette(Fixture *f)
{
    in(f, 0x3DA);
    for (unsigned i = 0; i < 16; i++)
        attribute(f, i, i);
    out(f, 0x3C6, 1, 0xFF);
    out(f, 0x3C8, 1, 0);
    for (unsigned i = 0; i < 256; i++) {
        out(f, 0x3C9, 1, i & 63);
        out(f, 0x3C9, 1, (i & 63) ^ 63);
        out(f, 0x3C9, 1, 2 * i & 63);
    }
}

static uint32_t palette_color(unsigned i)
{
    uint32_t rgb[3] = { i & 63, (i & 63) ^ 63, 2 * i & 63 };

    for (unsigned j = 0; j < 3; j++)
        rgb[j] = rgb[j] << 2 | rgb[j] >> 4;
    return rgb[0] << 16 | rgb[1] << 8 | rgb[2];
}

static void set_mode(Fixture *f, const ModeTable *mode)
{
    out(f, 0x3C2, 1, mode->misc);
    for (unsigned i = 0; i < 4; i++)
        sequencer(f, i + 1, mode->sr[i]);
    out(f, 0x3D4, 2, 0x11);
    for (unsigned i = 0; i < 25; i++)
        out(f, 0x3D4, 2, i | mode->cr[i] << 8);
    for (unsigned i = 0; i < 9; i++)
        graphics(f, i, mode->gr[i]);
    set_palette(f);
    attribute(f, 0x10, mode->ar_mode);
    attribute(f, 0x12, 0x0F);
    attribute(f, 0x13, mode->ar_pan);
    attribute(f, 0x14, 0);
    out(f, 0x3C0, 1, 0x20);
}

/* Line @line of character @c in the test's font. */
static uint8_t font_byte(unsigned c, unsigned line)
{
    return c * 7 + line * 13 + 1;
}

static void load_font(Fixture *f, unsigned base, uint8_t invert)
{
    sequencer(f, 2, 4);
    sequencer(f, 4, 6);
    graphics(f, 5, 0);
    graphics(f, 6, 4);
    for (unsigned c = 0; c < 256; c++) {
        for (unsigned line = 0; line < 16; line++)
            poke(f, 0xA0000 + base + c * 32 + line, 1, font_byte(c, line) ^ invert);
    }
    sequencer(f, 2, 3);
    sequencer(f, 4, 2);
    graphics(f, 5, 0x10);
    graphics(f, 6, 0x0E);
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->board = board_new();
    f->dev = vga_new(f->board->machine.pci, DEVFN, NULL);
    f->vga = (Vga *)f->dev;
    board_plug(f->board, f->dev);
    config(f, 0x10, 4, FRAMEBUFFER);
    config(f, 0x18, 4, MMIO);
    config(f, 4, 2, 3);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    device_free(f->dev);
    board_free(f->board);
    g_free(f);
    return 0;
}

/* --- windows ---------------------------------------------------------------------------------- */

static void command_register_gates_ports_and_window(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_13);
    poke(f, 0xA0000, 1, 0x5A);
    assert_int_equal(peek(f, 0xA0000, 1), 0x5A);
    config(f, 4, 2, 1);
    assert_int_equal(peek(f, 0xA0000, 1), 0xFF);
    config(f, 4, 2, 2);
    assert_int_equal(peek(f, 0xA0000, 1), 0x5A);
    assert_int_equal(in(f, 0x3CC), 0xFF);
    config(f, 4, 2, 3);
    assert_int_equal(in(f, 0x3CC), 0x63);
    out(f, 0x3C2, 1, 0x61); /* miscellaneous output: memory off */
    assert_int_equal(peek(f, 0xA0000, 1), 0xFF);
}

static void crtc_moves_with_the_miscellaneous_register(void **state)
{
    Fixture *f = *state;

    out(f, 0x3C2, 1, 0x67);
    out(f, 0x3D4, 2, 0x550F);
    assert_int_equal(in(f, 0x3D5), 0x55);
    assert_int_equal(in(f, 0x3B5), 0xFF);
    out(f, 0x3C2, 1, 0x66);
    assert_int_equal(in(f, 0x3B5), 0x55);
    assert_int_equal(in(f, 0x3D5), 0xFF);
}

static void bar_2_shows_the_same_registers(void **state)
{
    Fixture *f = *state;

    out(f, 0x3C2, 1, 0x67);
    assert_int_equal(peek(f, MMIO + 0x40C, 1), 0x67);
    poke(f, MMIO + 0x502, 2, 800);
    assert_int_equal(dispi_read(f, 1), 800);
    assert_int_equal(peek(f, MMIO + 0x500, 2), 0xB0C5);
    assert_int_equal(peek(f, MMIO + 0x514, 2), 256);
    out(f, 0x3C2, 1, 0x66); /* the CRT controller's place does not matter here */
    poke(f, MMIO + 0x414, 2, 0x330E);
    assert_int_equal(peek(f, MMIO + 0x415, 1), 0x33);
}

/* --- write modes ------------------------------------------------------------------------------ */

typedef struct {
    uint8_t plane[4][64];
    uint8_t latch[4];
} Reference;

static uint8_t function_of(unsigned function, uint8_t a, uint8_t latch)
{
    switch (function) {
    case 1: return a & latch;
    case 2: return a | latch;
    case 3: return a ^ latch;
    default: return a;
    }
}

/* Straight from the description of the graphics controller, a plane at a time. */
static void reference_write(Reference *r, const uint8_t *gr, uint8_t map, unsigned at, uint8_t byte)
{
    unsigned mode = gr[5] & 3, rotate = gr[3] & 7, function = gr[3] >> 3 & 3;
    uint8_t rotated = (uint8_t)(byte >> rotate) | (uint8_t)(byte << (8 - rotate));

    for (unsigned p = 0; p < 4; p++) {
        uint8_t latch = r->latch[p], mask = gr[8], value, set = gr[0] >> p & 1 ? 0xFF : 0;

        if (!(map >> p & 1))
            continue;
        if (mode == 0)
            value = gr[1] >> p & 1 ? set : rotated;
        else if (mode == 2)
            value = byte >> p & 1 ? 0xFF : 0;
        else
            value = set;
        if (mode == 3)
            mask &= rotated;
        value = function_of(function, value, latch);
        r->plane[p][at] = mode == 1 ? latch : (value & mask) | (latch & ~mask);
    }
}

static uint8_t reference_read(Reference *r, const uint8_t *gr, unsigned at)
{
    uint8_t same = 0xFF;

    for (unsigned p = 0; p < 4; p++) {
        r->latch[p] = r->plane[p][at];
        if (gr[7] >> p & 1)
            same &= ~(r->latch[p] ^ (gr[2] >> p & 1 ? 0xFF : 0));
    }
    return gr[5] & 8 ? same : r->latch[gr[4] & 3];
}

static void write_and_read_modes_agree_with_the_reference(void **state)
{
    Fixture *f = *state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    Reference reference;

    memset(&reference, 0, sizeof(reference));
    set_mode(f, &mode_12);
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t gr[9], map = g_rand_int(rand) & 15, byte = g_rand_int(rand);
        unsigned at = g_rand_int(rand) & 63;

        for (unsigned j = 0; j < 9; j++)
            gr[j] = g_rand_int(rand);
        gr[5] &= 0x0B;
        gr[6] = 0x05;
        if (i & 1) /* plain writes often */
            gr[0] = gr[1] = gr[3] = gr[5] = 0, gr[8] = 0xFF;
        for (unsigned j = 0; j < 9; j++)
            graphics(f, j, gr[j]);
        sequencer(f, 2, map);
        assert_int_equal(peek(f, 0xA0000 + at, 1), reference_read(&reference, gr, at));
        at = g_rand_int(rand) & 63;
        poke(f, 0xA0000 + at, 1, byte);
        reference_write(&reference, gr, map, at, byte);
    }
}

static void wide_writes_are_so_many_bytes(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_12);
    sequencer(f, 2, 1);
    poke(f, 0xA0010, 4, 0x44332211);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(peek(f, 0xA0010 + i, 1), 0x11 * (i + 1));
    assert_int_equal(peek(f, 0xA0010, 4), 0x44332211);
}

/* --- pictures --------------------------------------------------------------------------------- */

static void text_cell_shows_its_font(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_3);
    load_font(f, 0, 0);
    poke(f, 0xB8000 + 2 * (80 * 3 + 5), 2, 0x1E41);
    poke(f, 0xB8000 + 2 * (80 * 3 + 6), 2, 0x0FC4); /* goes on into the ninth dot */
    refresh(f);
    assert_int_equal(f->surface.width, 720);
    assert_int_equal(f->surface.height, 400);
    assert_true(f->surface.is_text);
    assert_false(f->surface.blank);
    for (unsigned y = 0; y < 16; y++) {
        for (unsigned x = 0; x < 8; x++) {
            bool on = font_byte(0x41, y) >> (7 - x) & 1;
            assert_int_equal(pixel(f, 5 * 9 + x, 3 * 16 + y), palette_color(on ? 14 : 1));
        }
        assert_int_equal(pixel(f, 5 * 9 + 8, 3 * 16 + y), palette_color(1));
        assert_int_equal(pixel(f, 6 * 9 + 8, 3 * 16 + y),
                         palette_color(font_byte(0xC4, y) & 1 ? 15 : 0));
    }
}

static void second_font_is_chosen_by_the_attribute(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_3);
    load_font(f, 0, 0);
    load_font(f, 0x4000, 0xFF);
    sequencer(f, 3, 0x04); /* A (attribute bit 3) is font 1 */
    poke(f, 0xB8000, 2, 0x0841);
    refresh(f);
    for (unsigned x = 0; x < 8; x++)
        assert_int_equal(pixel(f, x, 2), palette_color(font_byte(0x41, 2) >> (7 - x) & 1 ? 0 : 8));
}

static void a_changed_cell_is_the_only_rectangle(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_3);
    load_font(f, 0, 0);
    out(f, 0x3D4, 2, 0x200A); /* no cursor */
    refresh(f);
    assert_int_equal(f->n_rects, 1);
    assert_int_equal(f->rects[0].width, 720);
    refresh(f);
    assert_int_equal(f->n_rects, 0);
    poke(f, 0xB8000 + 2 * (80 * 2 + 10), 2, 0x0742);
    refresh(f);
    assert_int_equal(f->n_rects, 1);
    assert_int_equal(f->rects[0].x, 90);
    assert_int_equal(f->rects[0].y, 32);
    assert_int_equal(f->rects[0].width, 9);
    assert_int_equal(f->rects[0].height, 16);
}

static void cursor_blinks(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_3);
    load_font(f, 0, 0);
    poke(f, 0xB8000, 2, 0x0700 | ' ');
    for (unsigned i = 0; i < 16; i++)
        poke(f, 0xB8000 + 2 * i, 2, 0x0700);
    out(f, 0x3D4, 2, 0x020F); /* at cell 2 */
    refresh(f);
    assert_int_equal(pixel(f, 18, 13), palette_color(7));
    board_advance(f->board, 230 * 1000 * 1000);
    refresh(f);
    assert_int_equal(f->n_rects, 1);
    assert_int_equal(f->rects[0].x, 18);
    assert_int_equal(pixel(f, 18, 13), palette_color(font_byte(0, 13) & 0x80 ? 7 : 0));
}

static void palette_change_redraws(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_13);
    poke(f, 0xA0000, 1, 5);
    refresh(f);
    assert_int_equal(pixel(f, 0, 0), palette_color(5));
    out(f, 0x3C8, 1, 5);
    for (unsigned i = 0; i < 3; i++)
        out(f, 0x3C9, 1, 63);
    refresh(f);
    assert_int_equal(f->n_rects, 1);
    assert_int_equal(pixel(f, 0, 0), 0xFFFFFF);
}

static void mode_13_and_mode_x_show_the_same_memory(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_13);
    poke(f, 0xA0000 + 320 * 100 + 37, 1, 0x21);
    refresh(f);
    assert_int_equal(f->surface.width, 640);
    assert_int_equal(f->surface.height, 400);
    assert_int_equal(pixel(f, 74, 200), palette_color(0x21));
    assert_int_equal(pixel(f, 75, 201), palette_color(0x21));
    assert_int_equal(pixel(f, 76, 200), palette_color(0));
    sequencer(f, 4, 6); /* unchained: pixel 37 is byte 9 of plane 1 */
    out(f, 0x3D4, 2, 0x0014);
    out(f, 0x3D4, 2, 0xE317);
    graphics(f, 4, 1);
    assert_int_equal(peek(f, 0xA0000 + 80 * 100 + 9, 1), 0x21);
    sequencer(f, 2, 4);
    poke(f, 0xA0000 + 80 * 100 + 9, 1, 0x33);
    refresh(f);
    assert_int_equal(pixel(f, 76, 200), palette_color(0x33));
}

static void planar_pixels_and_line_compare(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_12);
    graphics(f, 5, 2);
    graphics(f, 8, 0x20);
    peek(f, 0xA0000 + 80 * 7 + 4, 1);
    poke(f, 0xA0000 + 80 * 7 + 4, 1, 0x0B);
    refresh(f);
    assert_int_equal(f->surface.width, 640);
    assert_int_equal(f->surface.height, 480);
    assert_int_equal(pixel(f, 34, 7), palette_color(11));
    assert_int_equal(pixel(f, 33, 7), palette_color(0));
    out(f, 0x3D4, 2, 0x6318); /* from line 100 on, memory from 0 */
    out(f, 0x3D4, 2, 0x2E07);
    out(f, 0x3D4, 2, 0x0009);
    refresh(f);
    assert_int_equal(pixel(f, 34, 107), palette_color(11));
    out(f, 0x3D4, 2, 0x0118); /* undo, then pan by two dots */
    out(f, 0x3D4, 2, 0x3E07);
    out(f, 0x3D4, 2, 0x4009);
    in(f, 0x3DA);
    attribute(f, 0x33, 2);
    refresh(f);
    assert_int_equal(pixel(f, 32, 7), palette_color(11));
}

static void cga_lines_interleave(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_4);
    poke(f, 0xB8000 + 1, 1, 0x1B);  /* pixels 4-7 of line 0 are 0 1 2 3 */
    poke(f, 0xBA000 + 80, 1, 0xC0); /* pixel 0 of line 3 is 3 */
    refresh(f);
    assert_int_equal(f->surface.width, 640);
    assert_int_equal(f->surface.height, 400);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pixel(f, 2 * (4 + i), 0), palette_color(i));
    assert_int_equal(pixel(f, 0, 6), palette_color(3));
    assert_int_equal(pixel(f, 1, 7), palette_color(3));
    assert_int_equal(pixel(f, 0, 4), palette_color(0));
}

/* --- Bochs modes ------------------------------------------------------------------------------ */

static void dispi_32_bits_is_video_memory_itself(void **state)
{
    Fixture *f = *state;

    dispi_mode(f, 1024, 768, 32);
    refresh(f);
    assert_int_equal(f->surface.width, 1024);
    assert_int_equal(f->surface.height, 768);
    assert_int_equal(f->surface.stride, 4096);
    assert_false(f->surface.is_text);
    poke(f, FRAMEBUFFER + 4096 * 5 + 4 * 7, 4, 0xAABBCC);
    refresh(f);
    assert_int_equal(pixel(f, 7, 5), 0xAABBCC);
    assert_int_equal(f->n_rects, 1);
    assert_int_equal(f->rects[0].y, 5);
    assert_int_equal(f->rects[0].height, 1);
    dispi(f, 9, 5); /* y offset */
    refresh(f);
    assert_int_equal(pixel(f, 7, 0), 0xAABBCC);
}

static void dispi_depths_convert(void **state)
{
    Fixture *f = *state;
    const struct {
        unsigned bpp, size;
        uint32_t value, color;
    } depth[] = { { 15, 2, 0x7C1F, 0xFF00FF },
                  { 16, 2, 0x07E0, 0x00FF00 },
                  { 24, 3, 0x123456, 0x123456 },
                  { 32, 4, 0x123456, 0x123456 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(depth); i++) {
        dispi_mode(f, 640, 480, depth[i].bpp);
        for (unsigned j = 0; j < depth[i].size; j++)
            poke(f, FRAMEBUFFER + (640 * 2 + 3) * depth[i].size + j, 1, depth[i].value >> 8 * j);
        refresh(f);
        assert_int_equal(f->surface.width, 640);
        assert_int_equal(pixel(f, 3, 2), depth[i].color);
    }
    set_palette(f);
    dispi_mode(f, 640, 480, 8);
    poke(f, FRAMEBUFFER + 640 + 1, 1, 9);
    refresh(f);
    assert_int_equal(pixel(f, 1, 1), palette_color(9));
}

static void dispi_registers_follow_the_specification(void **state)
{
    Fixture *f = *state;

    assert_int_equal(dispi_read(f, 0), 0xB0C5);
    dispi(f, 0, 0xB0C0);
    assert_int_equal(dispi_read(f, 0), 0xB0C0);
    dispi(f, 0, 0x1234);
    assert_int_equal(dispi_read(f, 0), 0xB0C0);
    assert_int_equal(dispi_read(f, 10), 256);
    dispi(f, 4, 2);
    assert_int_equal(dispi_read(f, 1), 2560);
    assert_int_equal(dispi_read(f, 2), 1600);
    assert_int_equal(dispi_read(f, 3), 32);
    dispi_mode(f, 800, 600, 32);
    dispi(f, 6, 1024);
    assert_int_equal(dispi_read(f, 6), 1024);
    assert_int_equal(dispi_read(f, 7), (16 << 20) / 4096);
}

static void enabling_clears_unless_told_not_to(void **state)
{
    Fixture *f = *state;

    poke(f, FRAMEBUFFER, 1, 0x55);
    dispi(f, 1, 640);
    dispi(f, 2, 480);
    dispi(f, 3, 8);
    dispi(f, 4, 0xC1);
    assert_int_equal(peek(f, FRAMEBUFFER, 1), 0x55);
    dispi_mode(f, 640, 480, 8);
    assert_int_equal(peek(f, FRAMEBUFFER, 1), 0);
}

static void banks_reach_all_memory_mapped_or_not(void **state)
{
    Fixture *f = *state;

    dispi_mode(f, 1024, 768, 8);
    for (unsigned bank = 0; bank < 12; bank++) {
        dispi(f, 5, bank);
        for (unsigned i = 0; i < 1024; i++) /* long enough to be mapped as memory */
            poke(f, 0xA0000 + 64 * i, 1, bank + i);
    }
    for (unsigned bank = 0; bank < 12; bank++) {
        dispi(f, 5, bank);
        for (unsigned i = 0; i < 1024; i++) {
            assert_int_equal(peek(f, 0xA0000 + 64 * i, 1), (bank + i) & 0xFF);
            assert_int_equal(peek(f, FRAMEBUFFER + (bank << 16) + 64 * i, 1), (bank + i) & 0xFF);
        }
    }
    refresh(f);
    poke(f, 0xA0000, 1, 0x77);
    refresh(f);
    assert_int_equal(f->n_rects, 1); /* stores through the mapping are seen, too */
    dispi(f, 4, 0);
    set_mode(f, &mode_12);
    poke(f, 0xA0000, 1, 0xFF);
    assert_int_equal(peek(f, FRAMEBUFFER, 4), 0xFFFFFFFF); /* planar again */
}

static void wild_modes_stay_inside_video_memory(void **state)
{
    Fixture *f = *state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    for (unsigned i = 0; i < 400; i++) {
        for (unsigned j = 1; j < 10; j++)
            dispi(f, j, g_rand_int(rand) >> (g_rand_int(rand) % 32));
        dispi(f, 3, (uint16_t[]){ 4, 8, 15, 16, 24, 32 }[i % 6]);
        for (unsigned j = 0; j < 25; j++)
            out(f, 0x3D4, 2, j | (g_rand_int(rand) & 0xFF) << 8);
        for (unsigned j = 0; j < 8; j++)
            graphics(f, j, g_rand_int(rand));
        sequencer(f, 1, g_rand_int(rand));
        sequencer(f, 4, g_rand_int(rand));
        if (i & 1)
            dispi(f, 4, g_rand_int(rand) | 0x81);
        in(f, 0x3DA);
        attribute(f, 0x10, g_rand_int(rand));
        attribute(f, 0x33, g_rand_int(rand));
        out(f, 0x3D4, 2, 0x8017);
        poke(f, 0xA0000 + (g_rand_int(rand) & 0x1FFF8), 8, g_rand_int(rand));
        if (i % 4 == 0)
            refresh(f);
        if (i % 4 == 0)
            assert_true(f->surface.offset + (uint64_t)f->surface.stride * f->surface.height <=
                        f->surface.ram->size);
        g_free(vga_dup_text(f->vga, NULL, NULL, NULL, NULL));
    }
}

/* --- text and EDID ---------------------------------------------------------------------------- */

static void text_comes_as_utf_8(void **state)
{
    Fixture *f = *state;
    const char *hello = "Hello \xC9\xCD\xE1";
    g_autofree char *text = NULL;
    int columns, rows, x, y;

    set_mode(f, &mode_3);
    for (unsigned i = 0; i < 80 * 25; i++)
        poke(f, 0xB8000 + 2 * i, 2, 0x0720);
    for (unsigned i = 0; hello[i]; i++)
        poke(f, 0xB8000 + 160 + 2 * i, 1, (uint8_t)hello[i]);
    out(f, 0x3D4, 2, 0x590F); /* cursor at 80 + 9 */
    text = vga_dup_text(f->vga, &columns, &rows, &x, &y);
    assert_true(g_str_has_prefix(text, "\nHello ╔═ß\n\n"));
    assert_int_equal(columns, 80);
    assert_int_equal(rows, 25);
    assert_int_equal(x, 9);
    assert_int_equal(y, 1);
    set_mode(f, &mode_13);
    assert_null(vga_dup_text(f->vga, NULL, NULL, NULL, NULL));
}

static void edid_has_checksum_and_preferred_mode(void **state)
{
    Fixture *f = *state;
    uint8_t edid[128], sum = 0;

    vga_set_preferred_mode(f->vga, 2560, 1600);
    for (unsigned i = 0; i < 128; i++)
        sum += edid[i] = peek(f, MMIO + i, 1);
    assert_int_equal(sum, 0);
    assert_memory_equal(edid, "\0\xFF\xFF\xFF\xFF\xFF\xFF\0", 8);
    assert_int_equal(edid[56] | (edid[58] & 0xF0) << 4, 2560);
    assert_int_equal(edid[59] | (edid[61] & 0xF0) << 4, 1600);
}

static void retrace_comes_and_goes(void **state)
{
    Fixture *f = *state;
    unsigned retrace = 0, hidden = 0;

    set_mode(f, &mode_3);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t status = in(f, 0x3DA);
        retrace += status >> 3 & 1;
        hidden += status & 1;
        board_advance(f->board, 100 * 1000);
    }
    assert_in_range(retrace, 5, 100);
    assert_in_range(hidden, 50, 600);
}

static void screen_off_is_blank_and_keeps_its_size(void **state)
{
    Fixture *f = *state;
    unsigned generation;

    set_mode(f, &mode_12);
    refresh(f);
    generation = f->surface.generation;
    sequencer(f, 1, 0x21);
    refresh(f);
    assert_true(f->surface.blank);
    assert_int_equal(f->surface.width, 640);
    assert_true(f->surface.generation != generation);
    sequencer(f, 1, 0x01);
    refresh(f);
    assert_false(f->surface.blank);
    assert_int_equal(f->n_rects, 1);
    assert_int_equal(f->rects[0].height, 480);
}

static void registers_survive_save_and_load(void **state)
{
    Fixture *f = *state;

    set_mode(f, &mode_13);
    poke(f, 0xA0000, 1, 9);
    board_save_and_load(f->dev);
    assert_int_equal(peek(f, 0xA0000, 1), 9);
    refresh(f);
    assert_int_equal(f->surface.width, 640);
    assert_int_equal(pixel(f, 0, 0), palette_color(9));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(command_register_gates_ports_and_window),
        TEST(crtc_moves_with_the_miscellaneous_register),
        TEST(bar_2_shows_the_same_registers),
        TEST(write_and_read_modes_agree_with_the_reference),
        TEST(wide_writes_are_so_many_bytes),
        TEST(text_cell_shows_its_font),
        TEST(second_font_is_chosen_by_the_attribute),
        TEST(a_changed_cell_is_the_only_rectangle),
        TEST(cursor_blinks),
        TEST(palette_change_redraws),
        TEST(mode_13_and_mode_x_show_the_same_memory),
        TEST(planar_pixels_and_line_compare),
        TEST(cga_lines_interleave),
        TEST(dispi_32_bits_is_video_memory_itself),
        TEST(dispi_depths_convert),
        TEST(dispi_registers_follow_the_specification),
        TEST(enabling_clears_unless_told_not_to),
        TEST(banks_reach_all_memory_mapped_or_not),
        TEST(wild_modes_stay_inside_video_memory),
        TEST(text_comes_as_utf_8),
        TEST(edid_has_checksum_and_preferred_mode),
        TEST(retrace_comes_and_goes),
        TEST(screen_off_is_blank_and_keeps_its_size),
        TEST(registers_survive_save_and_load),
    };

    return cmocka_run_group_tests_name("core/dev/vga", tests, NULL, NULL);
}
