/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The display adapter's insides, shared by the vga-*.c files and nobody else.
 *
 * Video memory holds the four planes side by side: the 32-bit word n is byte n of planes 0 to 3.
 * Chain-4 and odd/even addresses are packed (chain-4 byte n is simply byte n of video memory), so
 * that the linear modes, the 256-colour VGA modes and the planar ones all show the same memory
 * without a copy; a display counter value (MA) is always the number of a 32-bit word. */

#include "core/dev/edid.h"
#include "core/dev/vga.h"
#include "core/machine/machine.h"

#define VGA_VRAM_SIZE (16u << 20)
#define VGA_MAX_WIDTH 2560u
#define VGA_MAX_HEIGHT 1600u

/* What the device's read and write get as offset. */
#define VGA_AT_PORTS 0x0u /* + port number */
#define VGA_AT_MMIO 0x10000u
#define VGA_AT_WINDOW 0xA0000u
#define VGA_WINDOW_SIZE 0x20000u

enum {
    DISPI_ID,
    DISPI_XRES,
    DISPI_YRES,
    DISPI_BPP,
    DISPI_ENABLE,
    DISPI_BANK,
    DISPI_VIRT_WIDTH,
    DISPI_VIRT_HEIGHT,
    DISPI_X_OFFSET,
    DISPI_Y_OFFSET,
    DISPI_VIDEO_MEMORY_64K,
    DISPI_N
};
#define DISPI_ENABLED 0x01u
#define DISPI_GETCAPS 0x02u
#define DISPI_8BIT_DAC 0x20u
#define DISPI_LFB 0x40u
#define DISPI_NOCLEARMEM 0x80u

/* Everything that the guest can program but the latches: copied whole by the display side. */
typedef struct {
    uint8_t sr_index, gr_index, ar_index, cr_index;
    uint8_t sr[8], gr[16], ar[32], cr[64];
    bool ar_data; /* the next write to 3C0h is data */
    uint8_t misc, feature;
    uint8_t dac[768], dac_mask, dac_read, dac_write, dac_phase, dac_state;
    uint16_t dispi_index, dispi[DISPI_N];
    uint8_t dispi_low; /* first half of a 16-bit write to port 1CFh, which is odd */
} VgaRegs;

/* The Bochs mode that is set, with every limit applied. */
typedef struct {
    unsigned width, height, bpp;
    unsigned stride; /* bytes; for 4 bpp, words of four planes */
    unsigned start;  /* likewise */
} DispiMode;

/* The write path of the A0000 window, worked out from the registers: bytes of the word are planes.
 */
typedef struct {
    uint32_t base, size; /* offset of the decoded part of the window; 0: none */
    enum { VGA_PATH_PLANAR, VGA_PATH_ODD_EVEN, VGA_PATH_CHAIN_4, VGA_PATH_LINEAR } read, write;
    uint32_t bank;         /* added to planar words or linear bytes */
    uint32_t address_mask; /* of words */
    uint32_t plane_mask, bit_mask, set_reset, enable_set_reset;
    uint8_t mode, function, rotate;
    bool plain; /* write mode 0 and nothing else: bytes go to the enabled planes as they are */
} VgaPath;

typedef struct VgaDisplay VgaDisplay;

struct Vga {
    PciDevice pci;
    /* borrowed */
    PciBus *bus;
    uint8_t devfn;
    Ram *rom;
    /* owned */
    Ram *vram;
    VgaDisplay *display;
    /* guest state */
    VgaRegs regs;
    uint32_t latches;
    uint16_t preferred_width, preferred_height;
    /* derived from it by update */
    uint8_t edid[EDID_SIZE];
    VgaPath path;
    Region *window, *direct, *ports[3];
    unsigned direct_hits;
};

/* vga-memory.c: the A0000 window. vga_memory_changed() after any register that bears on it. */
void vga_memory_changed(Vga *vga);
uint64_t vga_window_read(Vga *vga, uint32_t offset, unsigned size);
void vga_window_write(Vga *vga, uint32_t offset, unsigned size, uint64_t value);

/* vga-dispi.c: the Bochs registers. */
uint16_t vga_dispi_read(const VgaRegs *regs, unsigned index);
void vga_dispi_write(Vga *vga, unsigned index, uint16_t value);
bool vga_dispi_enabled(const VgaRegs *regs);
void vga_dispi_mode(const VgaRegs *regs, DispiMode *out_mode);

/* vga-timing.c: input status register 1, bits 0 and 3. */
uint8_t vga_retrace(const VgaRegs *regs, uint64_t now_ns);

/* vga-text.c: geometry of the text screen. False in graphics modes. */
typedef struct {
    unsigned columns, rows;
    unsigned width, height;           /* of the picture */
    unsigned cell_width, cell_height; /* as the character generator makes them */
    unsigned scale_x, scale_y;        /* dots and lines each are shown so often */
    unsigned start, pitch;            /* words */
    unsigned pan;                     /* dots */
    int cursor;                       /* word; -1: hidden */
    unsigned cursor_first, cursor_last;
    bool is_split; /* panned, or two screens: rows of cells do not lie on a grid */
} TextMode;
bool vga_text_mode(const VgaRegs *regs, TextMode *out_mode);

/* vga-scanline.c: pure functions of registers and video memory. */
typedef struct {
    uint32_t color[256];    /* by DAC index */
    uint32_t attribute[16]; /* by attribute value, through the palette registers */
} VgaColors;

/* Where the CRT controller is on a line. */
typedef struct {
    unsigned word; /* first one shown */
    unsigned scan; /* line in the character */
    bool is_lower; /* behind the line compare */
} VgaLine;

typedef struct {
    const VgaRegs *regs;
    const TextMode *mode;
    const VgaColors *colors;
    const uint32_t *vram;
    const uint8_t (*fonts)[8192]; /* by attribute bit 3; 32 lines a character */
    bool blink_on, cursor_on;
} TextPainter;

void vga_colors(const VgaRegs *regs, VgaColors *out_colors);
/* Dots and lines of a VGA graphics mode. */
void vga_graphics_size(const VgaRegs *regs, unsigned *out_width, unsigned *out_height);
VgaLine vga_line(const VgaRegs *regs, unsigned y, bool is_text);
unsigned vga_shown_lines(const VgaRegs *regs);
/* Draws one line of a graphics mode, @width pixels at @out. */
void vga_draw_graphics_line(const VgaRegs *regs, const VgaColors *colors, const uint32_t *vram,
                            VgaLine line, unsigned width, uint32_t *out);
/* One line of a Bochs mode of 8 to 24 bits a pixel … */
void vga_draw_linear_line(unsigned bpp, const VgaColors *colors, const uint8_t *line,
                          unsigned width, uint32_t *out);
/* … and of 4. */
void vga_draw_planar_line(const VgaRegs *regs, const VgaColors *colors, const uint32_t *words,
                          unsigned width, uint32_t *out);
/* Columns [@first, @last) of text line @y into the picture's line @out. */
void vga_draw_text_line(const TextPainter *painter, unsigned y, unsigned first, unsigned last,
                        uint32_t *out);

/* vga-render.c: the display side, entered through vga.h. */
VgaDisplay *vga_display_new(GError **error);
void vga_display_free(VgaDisplay *display);
