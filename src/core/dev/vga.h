/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* Standard VGA with Bochs VBE extensions as PCI 1234:1111: all text and planar modes, linear modes
 * to 2560×1600, EDID (BAR2), SeaVGABIOS as option ROM. This header is also the display side:
 * whoever shows the picture polls vga_refresh() from its own thread (board lock not held). */

#include "core/dev/device.h"
#include "core/memory/ram.h"
#include "core/pci/pci.h"

typedef struct Vga Vga;

typedef enum { VGA_FORMAT_X8R8G8B8 } VgaFormat; /* little-endian 32 bits a pixel */

/* The picture now. @ram/@offset/@stride say where its pixels are: the guest's own video memory in
 * 32-bit linear modes (no copy), else a memfd that vga_refresh() renders into. */
typedef struct {
    unsigned width, height, stride; /* pixels, pixels, bytes */
    VgaFormat format;
    Ram *ram;
    uint64_t offset;
    bool is_text;
    bool blank;          /* display off: show black */
    unsigned generation; /* grows when any of the above changes */
} VgaSurface;

typedef struct {
    unsigned x, y, width, height;
} VgaRect;

#define VGA_MAX_RECTS 16

/* @rom: option ROM image, may be NULL. */
Device *vga_new(PciBus *bus, uint8_t devfn, Ram *rom);
/* Brings the surface up to date and returns what changed since the last call: at most VGA_MAX_RECTS
 * rectangles, the whole picture when the surface's generation changed. Not for two threads at once.
 */
unsigned vga_refresh(Vga *vga, VgaSurface *out_surface, VgaRect out_rects[VGA_MAX_RECTS]);
/* What the text screen shows: UTF-8 lines (code page 437 mapped), trailing blanks cut. NULL in
 * graphics modes. Cursor position in cells through the out parameters (may be NULL; -1 when
 * hidden). */
char *vga_dup_text(Vga *vga, int *out_columns, int *out_rows, int *out_cursor_x, int *out_cursor_y);
/* The mode the guest should prefer, reported through EDID (the front end's window size). */
void vga_set_preferred_mode(Vga *vga, unsigned width, unsigned height);
