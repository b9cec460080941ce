/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

#include "core/dev/ahci-internal.h"
#include "core/memory/dma.h"
#include <string.h>

/* Where received FISes go, §4.2.1. */
enum { FIS_DMA_SETUP = 0x00, FIS_PIO_SETUP = 0x20, FIS_D2H = 0x40, FIS_SET_BITS = 0x58 };

#define TFD(status, error) ((uint32_t)(error) << 8 | (status))
#define TFD_NO_DEVICE TFD(0x7F, 0)
#define SSTS_PRESENT 0x123u /* active, 3 Gb/s, communicating */
#define SCTL_DET 0xFu
#define SERR_RESET (AHCI_SERR_X | 1u << 16) /* and PhyRdy changed */

const StateField ahci_port_state[] = {
    STATE_STRUCT(AhciPort, drive, ata_drive_state),
    STATE_UINT(AhciPort, clb),
    STATE_UINT(AhciPort, clbu),
    STATE_UINT(AhciPort, fb),
    STATE_UINT(AhciPort, fbu),
    STATE_UINT(AhciPort, is),
    STATE_UINT(AhciPort, ie),
    STATE_UINT(AhciPort, cmd),
    STATE_UINT(AhciPort, tfd),
    STATE_UINT(AhciPort, sig),
    STATE_UINT(AhciPort, ssts),
    STATE_UINT(AhciPort, sctl),
    STATE_UINT(AhciPort, serr),
    STATE_UINT(AhciPort, sact),
    STATE_UINT(AhciPort, ci),
    STATE_UINT_MAX(AhciPort, next_slot, 31),
    STATE_BOOL(AhciPort, halted),
    STATE_BOOL(AhciPort, soft_reset),
    STATE_BOOL(AhciPort, signature_waits),
    STATE_END,
};

/* --- received FISes --------------------------------------------------------------------------- */

/* Without FRE the port has nowhere to put them, and only the registers change. */
static void port_post_fis(AhciPort *port, unsigned place, const uint8_t *fis, unsigned length)
{
    uint64_t base = (uint64_t)port->fbu << 32 | port->fb;

    if (!(port->cmd & AHCI_CMD_FRE) || !pci_device_bus_master(&port->ahci->pci))
        return;
    if (!dma_write(pci_bus_memory(port->ahci->bus), base + place, fis, length))
        ahci_port_fail(port, AHCI_IS_HBFS);
}

static void port_fill_registers(uint8_t fis[20], const AtaCommand *command)
{
    fis[2] = command->status;
    fis[3] = command->error;
    for (unsigned i = 0; i < 3; i++) {
        fis[4 + i] = (uint8_t)(command->result_lba >> 8 * i);
        fis[8 + i] = (uint8_t)(command->result_lba >> (24 + 8 * i));
    }
    fis[7] = command->device;
    fis[12] = (uint8_t)command->result_count;
    fis[13] = (uint8_t)(command->result_count >> 8);
}

void ahci_port_send_d2h(AhciPort *port, const AtaCommand *command, bool interrupt)
{
    uint8_t fis[20] = { 0x34, interrupt ? 0x40 : 0 };

    port_fill_registers(fis, command);
    port->tfd = TFD(command->status, command->error);
    port_post_fis(port, FIS_D2H, fis, sizeof fis);
    if (interrupt)
        port->is |= AHCI_IS_DHRS;
    if (command->status & ATA_ERR)
        ahci_port_fail(port, AHCI_IS_TFES);
}

/* Goes out when the data has already moved: readers that look at it at once find it all. */
void ahci_port_send_pio_setup(AhciPort *port, const AtaCommand *command, uint16_t length, bool in,
                              bool interrupt)
{
    uint8_t fis[20] = { 0x5F, (uint8_t)((in ? 0x20 : 0) | (interrupt ? 0x40 : 0)) };

    port_fill_registers(fis, command);
    fis[2] = ATA_DRDY | ATA_DSC | ATA_DRQ;
    fis[15] = command->status;
    fis[16] = (uint8_t)length;
    fis[17] = (uint8_t)(length >> 8);
    port->tfd = TFD(command->status, command->error);
    port_post_fis(port, FIS_PIO_SETUP, fis, sizeof fis);
    if (interrupt)
        port->is |= AHCI_IS_PSS;
}

void ahci_port_send_dma_setup(AhciPort *port, const AtaCommand *command, bool in)
{
    uint8_t fis[28] = { 0x41, in ? 0x20 : 0, [4] = (uint8_t)command->tag };
    uint32_t length = GUINT32_TO_LE((uint32_t)command->transferred);

    memcpy(fis + 20, &length, sizeof length);
    port_post_fis(port, FIS_DMA_SETUP, fis, sizeof fis);
}

void ahci_port_send_set_bits(AhciPort *port, uint32_t finished, uint8_t status, uint8_t error)
{
    uint8_t fis[8] = { 0xA1, 0x40, status & 0x77, error };
    uint32_t bits = GUINT32_TO_LE(finished);

    memcpy(fis + 4, &bits, sizeof bits);
    port->sact &= ~finished;
    port->tfd = (port->tfd & (ATA_BSY | ATA_DRQ)) | TFD(status & 0x77, error);
    port_post_fis(port, FIS_SET_BITS, fis, sizeof fis);
    port->is |= AHCI_IS_SDBS;
    if (status & ATA_ERR)
        ahci_port_fail(port, AHCI_IS_TFES);
}

void ahci_port_send_signature(AhciPort *port)
{
    uint32_t signature = ata_drive_signature(&port->drive);
    AtaCommand hello = { .status = ATA_DRDY | ATA_DSC,
                         .error = 1,
                         .result_count = signature & 0xFF,
                         .result_lba = signature >> 8 };

    port->sig = signature;
    port->tfd = TFD(hello.status, hello.error);
    port->signature_waits = !(port->cmd & AHCI_CMD_FRE);
    if (!port->signature_waits)
        ahci_port_send_d2h(port, &hello, false);
}

/* §6.2.2: the list stands still until software has looked and cleared ST. */
void ahci_port_fail(AhciPort *port, uint32_t is)
{
    port->is |= is;
    port->halted = true;
}

/* --- reset ------------------------------------------------------------------------------------ */

/* The link came up: the drive says what it is. */
static void port_connect(AhciPort *port)
{
    port->ssts = SSTS_PRESENT;
    port->serr |= SERR_RESET;
    ahci_port_send_signature(port);
}

void ahci_port_reset(AhciPort *port, bool hard)
{
    ahci_port_abort(port);
    if (hard)
        port->clb = port->clbu = port->fb = port->fbu = 0;
    port->is = port->ie = port->serr = port->sact = port->ci = port->sctl = 0;
    port->cmd = AHCI_CMD_SUD | AHCI_CMD_POD;
    port->tfd = TFD_NO_DEVICE;
    port->sig = 0xFFFFFFFF;
    port->ssts = 0;
    port->next_slot = 0;
    port->halted = port->soft_reset = port->signature_waits = false;
    if (port->drive.ops)
        port_connect(port);
}

/* COMRESET (§10.4.2): while DET is 1 the link is down; afterwards the drive introduces itself. */
static void port_write_sctl(AhciPort *port, uint32_t value)
{
    uint32_t was = port->sctl & SCTL_DET, is = value & SCTL_DET;

    port->sctl = value & 0xFFF;
    if (is == 1 || is == 4) {
        ahci_port_abort(port);
        port->ci = port->sact = 0;
        port->halted = false;
        port->ssts = is == 4 ? 4 : 0;
        port->tfd = TFD_NO_DEVICE;
        if (is == 1)
            port->tfd |= ATA_BSY;
    } else if (was && !is && port->drive.ops) {
        ata_drive_reset(&port->drive);
        port_connect(port);
    }
}

/* --- registers -------------------------------------------------------------------------------- */

static void port_stop(AhciPort *port)
{
    ahci_port_abort(port);
    port->ci = port->sact = 0;
    port->next_slot = 0;
    port->halted = false;
    port->cmd &= ~(AHCI_CMD_CR | 0x1Fu << AHCI_CMD_CCS_SHIFT);
}

static void port_write_cmd(AhciPort *port, uint32_t value)
{
    bool was_started = port->cmd & AHCI_CMD_ST;

    port->cmd = (port->cmd & ~AHCI_CMD_WRITABLE) | (value & AHCI_CMD_WRITABLE);
    if (value & AHCI_CMD_CLO)
        port->tfd &= ~(uint32_t)(ATA_BSY | ATA_DRQ);
    if (port->cmd & AHCI_CMD_FRE) {
        port->cmd |= AHCI_CMD_FR;
        if (port->signature_waits)
            ahci_port_send_signature(port);
    } else {
        port->cmd &= ~AHCI_CMD_FR;
    }
    if (port->cmd & AHCI_CMD_ST)
        port->cmd |= AHCI_CMD_CR;
    else if (was_started)
        port_stop(port);
}

uint32_t ahci_port_read(AhciPort *port, unsigned offset)
{
    switch (offset) {
    case AHCI_PX_CLB: return port->clb;
    case AHCI_PX_CLBU: return port->clbu;
    case AHCI_PX_FB: return port->fb;
    case AHCI_PX_FBU: return port->fbu;
    case AHCI_PX_IS: return port->is | (port->serr & AHCI_SERR_X ? AHCI_IS_PCS : 0);
    case AHCI_PX_IE: return port->ie;
    case AHCI_PX_CMD: return port->cmd;
    case AHCI_PX_TFD: return port->tfd;
    case AHCI_PX_SIG: return port->sig;
    case AHCI_PX_SSTS: return port->ssts;
    case AHCI_PX_SCTL: return port->sctl;
    case AHCI_PX_SERR: return port->serr;
    case AHCI_PX_SACT: return port->sact;
    case AHCI_PX_CI: return port->ci;
    }
    return 0;
}

void ahci_port_write(AhciPort *port, unsigned offset, uint32_t value)
{
    switch (offset) {
    case AHCI_PX_CLB: port->clb = value & ~0x3FFu; break;
    case AHCI_PX_CLBU: port->clbu = value; break;
    case AHCI_PX_FB: port->fb = value & ~0xFFu; break;
    case AHCI_PX_FBU: port->fbu = value; break;
    case AHCI_PX_IS:
        port->is &= ~value;
        ahci_update_irq(port->ahci, false);
        break;
    case AHCI_PX_IE: port->ie = value & AHCI_IE_MASK; break;
    case AHCI_PX_CMD: port_write_cmd(port, value); break;
    case AHCI_PX_SCTL: port_write_sctl(port, value); break;
    case AHCI_PX_SERR: port->serr &= ~value; break;
    case AHCI_PX_SACT:
        if (port->cmd & AHCI_CMD_ST)
            port->sact |= value;
        break;
    case AHCI_PX_CI:
        if (port->cmd & AHCI_CMD_ST)
            port->ci |= value;
        break;
    }
    ahci_port_run(port);
}
