/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/vga-internal.h"

#include <string.h>

/* Registers at ports 3B0h to 3DFh, and the same ones at BAR 2 (FreeVGA project; QEMU's "standard
 * VGA" specification for the layout of BAR 2). */

#define VGA_MMIO_PORTS 0x400u /* port 3C0h */
#define VGA_MMIO_DISPI 0x500u

#define VGA_PCI_COMMAND_IO 1u
#define VGA_PCI_COMMAND_MEMORY 2u

static const StateField vga_regs_state[] = {
    STATE_UINT(VgaRegs, sr_index),
    STATE_UINT(VgaRegs, gr_index),
    STATE_UINT(VgaRegs, ar_index),
    STATE_UINT(VgaRegs, cr_index),
    STATE_ARRAY(VgaRegs, sr),
    STATE_ARRAY(VgaRegs, gr),
    STATE_ARRAY(VgaRegs, ar),
    STATE_ARRAY(VgaRegs, cr),
    STATE_BOOL(VgaRegs, ar_data),
    STATE_UINT(VgaRegs, misc),
    STATE_UINT(VgaRegs, feature),
    STATE_BYTES(VgaRegs, dac),
    STATE_UINT(VgaRegs, dac_mask),
    STATE_UINT(VgaRegs, dac_read),
    STATE_UINT(VgaRegs, dac_write),
    STATE_UINT_MAX(VgaRegs, dac_phase, 2),
    STATE_UINT(VgaRegs, dac_state),
    STATE_UINT(VgaRegs, dispi_index),
    STATE_ARRAY(VgaRegs, dispi),
    STATE_UINT(VgaRegs, dispi_low),
    STATE_END,
};

static const StateField vga_state[] = {
    PCI_STATE(Vga, pci),
    STATE_STRUCT(Vga, regs, vga_regs_state),
    STATE_UINT(Vga, latches),
    STATE_UINT_MAX(Vga, preferred_width, VGA_MAX_WIDTH),
    STATE_UINT_MAX(Vga, preferred_height, VGA_MAX_HEIGHT),
    STATE_END,
};

/* --- windows ---------------------------------------------------------------------------------- */

static void vga_toggle_ports(Vga *vga, unsigned i, unsigned first, unsigned n, bool on)
{
    AddressSpace *ports = vga->pci.dev.machine->ports;

    if (on && !vga->ports[i]) {
        vga->ports[i] = address_space_map_device(ports, first, n, MAP_PRIORITY_CHIPSET,
                                                 &vga->pci.dev, VGA_AT_PORTS + first);
    } else if (!on && vga->ports[i]) {
        address_space_unmap(ports, vga->ports[i]);
        vga->ports[i] = NULL;
    }
}

/* The fixed addresses answer only while the PCI command register lets them. */
static void vga_update_windows(Vga *vga, uint8_t command)
{
    Machine *machine = vga->pci.dev.machine;
    bool io = command & VGA_PCI_COMMAND_IO, memory = command & VGA_PCI_COMMAND_MEMORY;

    address_space_begin(machine->ports);
    vga_toggle_ports(vga, 0, 0x3B0, 12, io);
    vga_toggle_ports(vga, 1, 0x3C0, 32, io);
    vga_toggle_ports(vga, 2, 0x1CE, 3, io);
    address_space_commit(machine->ports);
    address_space_begin(machine->memory);
    if (memory && !vga->window) {
        vga->window = address_space_map_device(machine->memory, VGA_AT_WINDOW, VGA_WINDOW_SIZE,
                                               MAP_PRIORITY_OVERLAY, &vga->pci.dev, VGA_AT_WINDOW);
        region_let_writes_wait(vga->window);
    } else if (!memory && vga->window) {
        address_space_unmap(machine->memory, vga->window);
        vga->window = NULL;
    }
    vga_memory_changed(vga);
    address_space_commit(machine->memory);
}

static void vga_on_config_written(PciDevice *pci, unsigned offset, unsigned size)
{
    if (offset <= 4 && offset + size > 4)
        vga_update_windows((Vga *)pci, pci->config[4]);
}

static void vga_update(Device *dev)
{
    Vga *vga = (Vga *)dev;

    pci_device_update(&vga->pci);
    edid_build(vga->edid, vga->preferred_width, vga->preferred_height);
    vga_update_windows(vga, vga->pci.config[4]);
}

/* --- colour registers ------------------------------------------------------------------------- */

static uint8_t vga_read_dac(VgaRegs *r)
{
    uint8_t value = r->dac[r->dac_read * 3 + r->dac_phase];

    if (++r->dac_phase == 3) {
        r->dac_phase = 0;
        r->dac_read++;
    }
    return value;
}

static void vga_write_dac(VgaRegs *r, uint8_t value)
{
    bool wide = r->dispi[DISPI_ENABLE] & DISPI_8BIT_DAC;

    r->dac[r->dac_write * 3 + r->dac_phase] = wide ? value : value & 0x3F;
    if (++r->dac_phase == 3) {
        r->dac_phase = 0;
        r->dac_write++;
    }
}

/* --- indexed registers ------------------------------------------------------------------------ */

static void vga_write_attribute(VgaRegs *r, uint8_t value)
{
    unsigned index = r->ar_index & 0x1F;

    r->ar_data = !r->ar_data;
    if (r->ar_data) {
        r->ar_index = value & 0x3F;
        return;
    }
    if (index < 16)
        r->ar[index] = value & 0x3F;
    else if (index == 0x10)
        r->ar[index] = value & 0xEF;
    else if (index == 0x11)
        r->ar[index] = value;
    else if (index == 0x12)
        r->ar[index] = value & 0x3F;
    else if (index <= 0x14)
        r->ar[index] = value & 0x0F;
}

static void vga_write_sequencer(Vga *vga, uint8_t value)
{
    static const uint8_t mask[8] = { 0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF };
    unsigned index = vga->regs.sr_index & 7;

    vga->regs.sr[index] = value & mask[index];
    vga_memory_changed(vga);
}

static void vga_write_graphics(Vga *vga, uint8_t value)
{
    static const uint8_t mask[16] = { 0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF };
    unsigned index = vga->regs.gr_index & 15;

    vga->regs.gr[index] = value & mask[index];
    vga_memory_changed(vga);
}

static void vga_write_crtc(VgaRegs *r, uint8_t value)
{
    unsigned index = r->cr_index & 0x3F;

    if (index <= 7 && (r->cr[0x11] & 0x80)) { /* protected, but for a bit of the line compare */
        if (index == 7)
            r->cr[7] = (r->cr[7] & ~0x10) | (value & 0x10);
        return;
    }
    if (index <= 0x18)
        r->cr[index] = value;
}

static uint8_t vga_read_crtc(const Vga *vga)
{
    unsigned index = vga->regs.cr_index & 0x3F;

    if (index == 0x22) /* undocumented: the latch of the plane to read */
        return vga->latches >> 8 * (vga->regs.gr[4] & 3);
    return vga->regs.cr[index];
}

/* --- ports ------------------------------------------------------------------------------------ */

static uint8_t vga_read_status_1(Vga *vga)
{
    vga->regs.ar_data = false;
    return vga_retrace(&vga->regs, clock_now_ns(vga->pci.dev.machine->clock));
}

static uint8_t vga_read_port(Vga *vga, unsigned port)
{
    VgaRegs *r = &vga->regs;

    switch (port) {
    case 0x3C0: return r->ar_index;
    case 0x3C1: return r->ar[r->ar_index & 0x1F];
    case 0x3C2: return 0x10; /* a monitor is sensed */
    case 0x3C4: return r->sr_index;
    case 0x3C5: return r->sr[r->sr_index & 7];
    case 0x3C6: return r->dac_mask;
    case 0x3C7: return r->dac_state;
    case 0x3C8: return r->dac_write;
    case 0x3C9: return vga_read_dac(r);
    case 0x3CA: return r->feature;
    case 0x3CC: return r->misc;
    case 0x3CE: return r->gr_index;
    case 0x3CF: return r->gr[r->gr_index & 15];
    case 0x3B4:
    case 0x3D4: return r->cr_index;
    case 0x3B5:
    case 0x3D5: return vga_read_crtc(vga);
    case 0x3BA:
    case 0x3DA: return vga_read_status_1(vga);
    default: return 0xFF;
    }
}

static void vga_write_port(Vga *vga, unsigned port, uint8_t value)
{
    VgaRegs *r = &vga->regs;

    switch (port) {
    case 0x3C0: vga_write_attribute(r, value); break;
    case 0x3C2:
        r->misc = value & ~0x10;
        vga_memory_changed(vga);
        break;
    case 0x3C4: r->sr_index = value & 7; break;
    case 0x3C5: vga_write_sequencer(vga, value); break;
    case 0x3C6: r->dac_mask = value; break;
    case 0x3C7:
        r->dac_read = value;
        r->dac_phase = 0;
        r->dac_state = 3;
        break;
    case 0x3C8:
        r->dac_write = value;
        r->dac_phase = 0;
        r->dac_state = 0;
        break;
    case 0x3C9: vga_write_dac(r, value); break;
    case 0x3CE: r->gr_index = value & 15; break;
    case 0x3CF: vga_write_graphics(vga, value); break;
    case 0x3B4:
    case 0x3D4: r->cr_index = value & 0x3F; break;
    case 0x3B5:
    case 0x3D5: vga_write_crtc(r, value); break;
    case 0x3BA:
    case 0x3DA: r->feature = value & 0x10; break;
    default: break;
    }
}

/* The CRT controller answers at 3Bxh or at 3Dxh; in BAR 2 always. */
static bool vga_port_is_elsewhere(const Vga *vga, unsigned port)
{
    return (port & 0x3F0) == (vga->regs.misc & 1 ? 0x3B0 : 0x3D0);
}

/* Ports 1CEh (16 bits) and 1CFh (16 bits at an odd address, so the bus brings its two bytes). */
static uint64_t vga_read_dispi_port(const VgaRegs *r, unsigned port)
{
    if (port == 0x1CE)
        return r->dispi_index;
    return vga_dispi_read(r, r->dispi_index) >> (port == 0x1CF ? 0 : 8) & 0xFF;
}

static void vga_write_dispi_port(Vga *vga, unsigned port, uint16_t value)
{
    VgaRegs *r = &vga->regs;

    if (port == 0x1CE)
        r->dispi_index = value;
    else if (port == 0x1CF)
        r->dispi_low = value;
    else
        vga_dispi_write(vga, r->dispi_index, (value & 0xFF) << 8 | r->dispi_low);
}

/* --- BAR 2 ------------------------------------------------------------------------------------ */

static uint8_t vga_read_mmio_byte(Vga *vga, unsigned at)
{
    if (at < EDID_SIZE)
        return vga->edid[at];
    if (at < VGA_MMIO_PORTS) /* no extension block */
        return 0;
    if (at < VGA_MMIO_PORTS + 0x20)
        return vga_read_port(vga, at - VGA_MMIO_PORTS + 0x3C0);
    if (at >= VGA_MMIO_DISPI && at < VGA_MMIO_DISPI + 2 * DISPI_N)
        return vga_dispi_read(&vga->regs, (at - VGA_MMIO_DISPI) / 2) >> 8 * (at & 1);
    return 0xFF;
}

static void vga_write_mmio(Vga *vga, unsigned at, unsigned size, uint64_t value)
{
    if (at >= VGA_MMIO_DISPI && at < VGA_MMIO_DISPI + 2 * DISPI_N) {
        for (unsigned i = 0; i < size; i += 2)
            vga_dispi_write(vga, (at + i - VGA_MMIO_DISPI) / 2, value >> 8 * i);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        if (at + i >= VGA_MMIO_PORTS && at + i < VGA_MMIO_PORTS + 0x20)
            vga_write_port(vga, at + i - VGA_MMIO_PORTS + 0x3C0, value >> 8 * i);
    }
}

/* --- the device ------------------------------------------------------------------------------- */

static uint64_t vga_read(Device *dev, uint64_t offset, unsigned size)
{
    Vga *vga = (Vga *)dev;
    uint64_t value = 0;

    if (offset >= VGA_AT_WINDOW)
        return vga_window_read(vga, offset - VGA_AT_WINDOW, size);
    if (offset >= 0x1CE && offset <= 0x1D0)
        return vga_read_dispi_port(&vga->regs, offset);
    for (unsigned i = 0; i < size; i++) {
        uint64_t byte = 0xFF;

        if (offset >= VGA_AT_MMIO)
            byte = vga_read_mmio_byte(vga, offset - VGA_AT_MMIO + i);
        else if (!vga_port_is_elsewhere(vga, offset + i))
            byte = vga_read_port(vga, offset + i);
        value |= byte << 8 * i;
    }
    return value;
}

static void vga_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Vga *vga = (Vga *)dev;

    if (offset >= VGA_AT_WINDOW)
        vga_window_write(vga, offset - VGA_AT_WINDOW, size, value);
    else if (offset >= VGA_AT_MMIO)
        vga_write_mmio(vga, offset - VGA_AT_MMIO, size, value);
    else if (offset >= 0x1CE && offset <= 0x1D0)
        vga_write_dispi_port(vga, offset, value);
    else
        for (unsigned i = 0; i < size; i++) {
            if (!vga_port_is_elsewhere(vga, offset + i))
                vga_write_port(vga, offset + i, value >> 8 * i);
        }
}

static void vga_reset(Device *dev)
{
    Vga *vga = (Vga *)dev;

    pci_device_reset(&vga->pci);
    vga->regs = (VgaRegs){ .dac_mask = 0xFF, .dispi[DISPI_ID] = 0xB0C5 };
    vga->latches = 0;
}

static bool vga_realize(Device *dev, Machine *machine, GError **error)
{
    static const PciIdentity identity = { .vendor = 0x1234,
                                          .device = 0x1111,
                                          .subsystem_vendor = 0x1AF4,
                                          .subsystem = 0x1100,
                                          .class_code = 0x030000,
                                          .revision = 2 };
    Vga *vga = (Vga *)dev;

    vga->vram = ram_new("vram", VGA_VRAM_SIZE, error);
    if (!vga->vram)
        return false;
    vga->display = vga_display_new(error);
    if (!vga->display) {
        g_clear_pointer(&vga->vram, ram_free);
        return false;
    }
    ram_enable_dirty_log(vga->vram);
    pci_device_init(&vga->pci, vga->bus, vga->devfn, &identity);
    vga->pci.config_written = vga_on_config_written;
    pci_device_bar_ram(&vga->pci, 0, PCI_BAR_MEM32_PREFETCH, vga->vram);
    pci_device_bar_mem(&vga->pci, 2, PCI_BAR_MEM32, 0x1000, VGA_AT_MMIO);
    if (vga->rom)
        pci_device_rom(&vga->pci, vga->rom);
    return true;
}

static void vga_unrealize(Device *dev)
{
    Vga *vga = (Vga *)dev;

    vga_update_windows(vga, 0);
    pci_device_clear(&vga->pci);
    vga_display_free(vga->display);
    ram_free(vga->vram);
}

static const DeviceOps vga_ops = {
    .name = "vga",
    .instance_size = sizeof(Vga),
    .state_version = 1,
    .state = vga_state,
    .min_access = 1,
    .max_access = 8,
    .realize = vga_realize,
    .unrealize = vga_unrealize,
    .reset = vga_reset,
    .update = vga_update,
    .read = vga_read,
    .write = vga_write,
};

Device *vga_new(PciBus *bus, uint8_t devfn, Ram *rom)
{
    Vga *vga = device_alloc(&vga_ops, "vga");

    vga->bus = bus;
    vga->devfn = devfn;
    vga->rom = rom;
    vga->preferred_width = 1280;
    vga->preferred_height = 800;
    return &vga->pci.dev;
}

void vga_set_preferred_mode(Vga *vga, unsigned width, unsigned height)
{
    device_enter(&vga->pci.dev);
    vga->preferred_width = CLAMP(width, 640, VGA_MAX_WIDTH) & ~7u;
    vga->preferred_height = CLAMP(height, 480, VGA_MAX_HEIGHT);
    edid_build(vga->edid, vga->preferred_width, vga->preferred_height);
    device_leave(&vga->pci.dev);
}
