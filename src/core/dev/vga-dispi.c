/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/vga-internal.h"

#include <string.h>

/* Bochs VBE display interface, version B0C5h. Registers keep what the guest wrote; limits are
 * applied by vga_dispi_mode(), so nothing that is shown or mapped can leave video memory. */

#define DISPI_ID_0 0xB0C0u
#define DISPI_ID_5 0xB0C5u

bool vga_dispi_enabled(const VgaRegs *regs)
{
    return regs->dispi[DISPI_ENABLE] & DISPI_ENABLED;
}

static unsigned dispi_bpp(unsigned bpp)
{
    switch (bpp) {
    case 4:
    case 15:
    case 16:
    case 24:
    case 32: return bpp;
    default: return 8;
    }
}

/* Bytes, or words of four planes, that @width pixels take. */
static unsigned dispi_line_size(unsigned width, unsigned bpp)
{
    return bpp == 4 ? (width + 7) / 8 : width * ((bpp + 7) / 8);
}

void vga_dispi_mode(const VgaRegs *regs, DispiMode *out_mode)
{
    const uint16_t *r = regs->dispi;
    unsigned bpp = dispi_bpp(r[DISPI_BPP]);
    unsigned memory = bpp == 4 ? VGA_VRAM_SIZE / 4 : VGA_VRAM_SIZE;
    unsigned width = CLAMP(r[DISPI_XRES], 8, VGA_MAX_WIDTH);
    unsigned stride = dispi_line_size(MAX(r[DISPI_VIRT_WIDTH], width), bpp);
    unsigned height = CLAMP(r[DISPI_YRES], 1, VGA_MAX_HEIGHT);
    unsigned start;

    if ((uint64_t)stride * height > memory)
        stride = dispi_line_size(width, bpp);
    height = MIN(height, memory / stride);
    start = r[DISPI_Y_OFFSET] * stride +
            (bpp == 4 ? r[DISPI_X_OFFSET] / 8u : dispi_line_size(r[DISPI_X_OFFSET], bpp));
    if (start > memory - stride * height)
        start = 0;
    *out_mode = (DispiMode){ width, height, bpp, stride, start };
}

/* The virtual screen is as high as memory allows. */
static unsigned dispi_virtual_height(const VgaRegs *regs)
{
    DispiMode mode;

    vga_dispi_mode(regs, &mode);
    return MIN((mode.bpp == 4 ? VGA_VRAM_SIZE / 4 : VGA_VRAM_SIZE) / mode.stride, 0xFFFF);
}

uint16_t vga_dispi_read(const VgaRegs *regs, unsigned index)
{
    bool caps = regs->dispi[DISPI_ENABLE] & DISPI_GETCAPS;

    switch (index) {
    case DISPI_XRES: return caps ? VGA_MAX_WIDTH : regs->dispi[index];
    case DISPI_YRES: return caps ? VGA_MAX_HEIGHT : regs->dispi[index];
    case DISPI_BPP: return caps ? 32 : regs->dispi[index];
    case DISPI_VIRT_HEIGHT:
        return vga_dispi_enabled(regs) ? dispi_virtual_height(regs) : regs->dispi[index];
    case DISPI_VIDEO_MEMORY_64K: return VGA_VRAM_SIZE >> 16;
    default: return index < DISPI_N ? regs->dispi[index] : 0;
    }
}

static void dispi_clear_screen(Vga *vga)
{
    DispiMode mode;
    uint64_t size;

    vga_dispi_mode(&vga->regs, &mode);
    size = (uint64_t)mode.stride * mode.height * (mode.bpp == 4 ? 4 : 1);
    memset(vga->vram->host, 0, size);
    ram_wrote(vga->vram, 0, size);
}

static void dispi_write_enable(Vga *vga, uint16_t value)
{
    uint16_t *r = vga->regs.dispi;
    bool starts = (value & DISPI_ENABLED) && !(r[DISPI_ENABLE] & DISPI_ENABLED);

    r[DISPI_ENABLE] = value;
    if (!starts) {
        if (!(value & DISPI_ENABLED))
            r[DISPI_BANK] = 0;
        return;
    }
    r[DISPI_VIRT_WIDTH] = r[DISPI_XRES];
    r[DISPI_X_OFFSET] = r[DISPI_Y_OFFSET] = r[DISPI_BANK] = 0;
    if (!(value & DISPI_NOCLEARMEM))
        dispi_clear_screen(vga);
}

void vga_dispi_write(Vga *vga, unsigned index, uint16_t value)
{
    switch (index) {
    case DISPI_ID:
        if (value >= DISPI_ID_0 && value <= DISPI_ID_5)
            vga->regs.dispi[DISPI_ID] = value;
        return;
    case DISPI_ENABLE: dispi_write_enable(vga, value); break;
    case DISPI_BANK: vga->regs.dispi[index] = value & (VGA_VRAM_SIZE / 65536 - 1); break;
    case DISPI_BPP: vga->regs.dispi[index] = value; break;
    case DISPI_XRES:
    case DISPI_YRES:
    case DISPI_VIRT_WIDTH:
    case DISPI_X_OFFSET:
    case DISPI_Y_OFFSET: vga->regs.dispi[index] = value; return;
    default: return;
    }
    vga_memory_changed(vga);
}
