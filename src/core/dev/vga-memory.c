/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/vga-internal.h"

#include <string.h>

/* The 128 KiB at A0000h. Each access of the planar and text modes is a call, so what the registers
 * mean is worked out when they change (VgaPath), not here. Linear layouts are mapped as memory once
 * the guest has used them for a while: mapping costs all CPUs a pause, which a guest that switches
 * banks for every pixel would feel. */

#define VGA_DIRECT_AFTER 256u

/* --- what the registers mean ------------------------------------------------------------------ */

static uint32_t vga_spread(uint8_t planes)
{
    static const uint32_t spread[16] = { 0x00000000, 0x000000FF, 0x0000FF00, 0x0000FFFF,
                                         0x00FF0000, 0x00FF00FF, 0x00FFFF00, 0x00FFFFFF,
                                         0xFF000000, 0xFF0000FF, 0xFF00FF00, 0xFF00FFFF,
                                         0xFFFF0000, 0xFFFF00FF, 0xFFFFFF00, 0xFFFFFFFF };
    return spread[planes & 15];
}

/* Graphics register 6, bits 2-3. */
static void vga_decode_window(const VgaRegs *regs, VgaPath *path)
{
    static const struct {
        uint32_t base, size;
    } window[4] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };
    unsigned n = regs->gr[6] >> 2 & 3;

    path->base = window[n].base;
    path->size = regs->misc & 2 ? window[n].size : 0;
}

static void vga_decode_path(const VgaRegs *regs, VgaPath *path)
{
    const uint8_t *gr = regs->gr;

    memset(path, 0, sizeof(*path));
    vga_decode_window(regs, path);
    path->address_mask = 0xFFFF;
    path->mode = gr[5] & 3;
    path->function = gr[3] >> 3 & 3;
    path->rotate = gr[3] & 7;
    path->plane_mask = vga_spread(regs->sr[2]);
    path->bit_mask = gr[8] * 0x01010101u;
    path->set_reset = vga_spread(gr[0]);
    path->enable_set_reset = vga_spread(gr[1]);
    path->plain =
        !path->mode && !path->function && !path->rotate && !path->enable_set_reset && gr[8] == 0xFF;
    if (vga_dispi_enabled(regs)) {
        DispiMode mode;

        vga_dispi_mode(regs, &mode);
        path->base = 0;
        path->size = 0x10000;
        path->bank = regs->dispi[DISPI_BANK] << 16;
        path->address_mask = VGA_VRAM_SIZE / 4 - 1;
        path->read = path->write = mode.bpp == 4 ? VGA_PATH_PLANAR : VGA_PATH_LINEAR;
    } else if (regs->sr[4] & 8) {
        path->read = path->write = VGA_PATH_CHAIN_4;
    } else {
        path->write = regs->sr[4] & 4 ? VGA_PATH_PLANAR : VGA_PATH_ODD_EVEN;
        path->read = gr[5] & 0x10 ? VGA_PATH_ODD_EVEN : VGA_PATH_PLANAR;
    }
}

/* Whether the window is nothing but a view of video memory. */
static bool vga_path_is_linear(const VgaPath *path)
{
    return path->size && (path->write == VGA_PATH_LINEAR ||
                          (path->write == VGA_PATH_CHAIN_4 && path->plane_mask == UINT32_MAX));
}

void vga_memory_changed(Vga *vga)
{
    VgaPath old = vga->path;

    vga_decode_path(&vga->regs, &vga->path);
    vga->direct_hits = 0;
    if (vga->direct &&
        (!vga->window || !vga_path_is_linear(&vga->path) || old.base != vga->path.base ||
         old.size != vga->path.size || old.bank != vga->path.bank)) {
        address_space_unmap(vga->pci.dev.machine->memory, vga->direct);
        vga->direct = NULL;
    }
}

static void vga_map_direct(Vga *vga)
{
    const VgaPath *path = &vga->path;

    if (vga->direct || !vga->window || ++vga->direct_hits < VGA_DIRECT_AFTER)
        return;
    vga->direct =
        address_space_map_ram(vga->pci.dev.machine->memory, VGA_AT_WINDOW + path->base, path->size,
                              MAP_PRIORITY_OVERLAY, vga->vram, path->bank & (VGA_VRAM_SIZE - 1));
}

/* --- bytes ------------------------------------------------------------------------------------ */

static inline void vga_touch(Vga *vga, uint32_t byte)
{
    Ram *vram = vga->vram;

    if (G_UNLIKELY(vram->code[byte >> RAM_PAGE_SHIFT]))
        ram_wrote(vram, byte, 1);
    else
        __atomic_store_n(&vram->dirty[byte >> RAM_PAGE_SHIFT], 1, __ATOMIC_RELEASE);
}

static inline uint32_t *vga_word(Vga *vga, uint32_t index)
{
    return (uint32_t *)vga->vram->host + index;
}

static inline void vga_store(Vga *vga, uint32_t index, uint32_t value, uint32_t planes)
{
    uint32_t *word = vga_word(vga, index);

    *word = (*word & ~planes) | (value & planes);
    vga_touch(vga, index << 2);
}

/* The graphics controller between the processor's byte and the four planes (FreeVGA, "Write
 * Mode"). @planes: those that this address reaches. */
static void vga_write_planes(Vga *vga, uint32_t index, uint8_t byte, uint32_t planes)
{
    const VgaPath *path = &vga->path;
    uint32_t value, bits = path->bit_mask, latches = vga->latches;
    uint8_t rotated = byte >> path->rotate | byte << (8 - path->rotate);

    if (path->plain) {
        vga_store(vga, index, byte * 0x01010101u, planes);
        return;
    }
    switch (path->mode) {
    case 0:
        value = (rotated * 0x01010101u & ~path->enable_set_reset) |
                (path->set_reset & path->enable_set_reset);
        break;
    case 1: vga_store(vga, index, latches, planes); return;
    case 2: value = vga_spread(byte); break;
    default:
        value = path->set_reset;
        bits &= rotated * 0x01010101u;
        break;
    }
    switch (path->function) {
    case 1: value &= latches; break;
    case 2: value |= latches; break;
    case 3: value ^= latches; break;
    default: break;
    }
    vga_store(vga, index, (value & bits) | (latches & ~bits), planes);
}

/* @at: offset into the decoded window. */
static inline void vga_write_byte(Vga *vga, uint32_t at, uint8_t byte)
{
    const VgaPath *path = &vga->path;

    switch (path->write) {
    case VGA_PATH_PLANAR:
        vga_write_planes(vga, (at + path->bank) & path->address_mask, byte, path->plane_mask);
        break;
    case VGA_PATH_ODD_EVEN: /* even addresses reach planes 0 and 2, odd ones 1 and 3 */
        vga_write_planes(vga, at >> 1, byte,
                         path->plane_mask & (at & 1 ? 0xFF00FF00u : 0x00FF00FFu));
        break;
    case VGA_PATH_CHAIN_4:
        if (path->plane_mask >> 8 * (at & 3) & 1) {
            vga->vram->host[at] = byte;
            vga_touch(vga, at);
        }
        break;
    case VGA_PATH_LINEAR:
        at = (at + path->bank) & (VGA_VRAM_SIZE - 1);
        vga->vram->host[at] = byte;
        vga_touch(vga, at);
        break;
    }
}

/* Read mode 1: a bit is set where all cared-for planes have the wanted colour. */
static uint8_t vga_compare_color(const Vga *vga)
{
    uint32_t differ = (vga->latches ^ vga_spread(vga->regs.gr[2])) & vga_spread(vga->regs.gr[7]);

    differ |= differ >> 16;
    differ |= differ >> 8;
    return ~differ;
}

static inline uint8_t vga_read_byte(Vga *vga, uint32_t at)
{
    const VgaPath *path = &vga->path;
    unsigned plane = vga->regs.gr[4] & 3;

    switch (path->read) {
    case VGA_PATH_PLANAR:
        vga->latches = *vga_word(vga, (at + path->bank) & path->address_mask);
        break;
    case VGA_PATH_ODD_EVEN:
        vga->latches = *vga_word(vga, at >> 1);
        plane = (plane & 2) | (at & 1);
        break;
    case VGA_PATH_CHAIN_4:
        vga->latches = *vga_word(vga, at >> 2);
        return vga->latches >> 8 * (at & 3);
    default: return vga->vram->host[(at + path->bank) & (VGA_VRAM_SIZE - 1)];
    }
    return vga->regs.gr[5] & 8 ? vga_compare_color(vga) : vga->latches >> 8 * plane;
}

/* --- the window ------------------------------------------------------------------------------- */

uint64_t vga_window_read(Vga *vga, uint32_t offset, unsigned size)
{
    uint32_t at = offset - vga->path.base;
    uint64_t value = 0;

    if (at >= vga->path.size)
        return UINT64_MAX;
    if (vga->path.read >= VGA_PATH_CHAIN_4 && vga_path_is_linear(&vga->path))
        vga_map_direct(vga);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)vga_read_byte(vga, at + i) << 8 * i;
    return value;
}

void vga_window_write(Vga *vga, uint32_t offset, unsigned size, uint64_t value)
{
    uint32_t at = offset - vga->path.base;

    if (at >= vga->path.size)
        return;
    if (vga->path.write >= VGA_PATH_CHAIN_4 && vga_path_is_linear(&vga->path))
        vga_map_direct(vga);
    if (size > 1 && vga->path.write == VGA_PATH_ODD_EVEN && vga->path.plain) {
        for (unsigned i = 0; i < size; i += 2) /* a text cell, character and attribute */
            vga_store(vga, (at + i) >> 1, (value >> 8 * i & 0xFFFF) * 0x10001u,
                      vga->path.plane_mask);
        return;
    }
    for (unsigned i = 0; i < size; i++)
        vga_write_byte(vga, at + i, value >> 8 * i);
}
