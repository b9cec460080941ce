/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The inside of the AHCI controller: ahci.c has the controller's registers and its interrupt,
 * ahci-port.c a port's registers and the FISes it receives, ahci-command.c commands from guest
 * memory to the drive and back. AHCI 1.3.1 throughout. */

#include "core/dev/ahci.h"
#include "core/dev/ata.h"

enum { /* port registers, §3.3 */
       AHCI_PX_CLB = 0x00,
       AHCI_PX_CLBU = 0x04,
       AHCI_PX_FB = 0x08,
       AHCI_PX_FBU = 0x0C,
       AHCI_PX_IS = 0x10,
       AHCI_PX_IE = 0x14,
       AHCI_PX_CMD = 0x18,
       AHCI_PX_TFD = 0x20,
       AHCI_PX_SIG = 0x24,
       AHCI_PX_SSTS = 0x28,
       AHCI_PX_SCTL = 0x2C,
       AHCI_PX_SERR = 0x30,
       AHCI_PX_SACT = 0x34,
       AHCI_PX_CI = 0x38,
       AHCI_PX_SNTF = 0x3C,
};
enum { /* PxIS and PxIE */
       AHCI_IS_DHRS = 1u << 0,
       AHCI_IS_PSS = 1u << 1,
       AHCI_IS_DSS = 1u << 2,
       AHCI_IS_SDBS = 1u << 3,
       AHCI_IS_DPS = 1u << 5,
       AHCI_IS_PCS = 1u << 6,
       AHCI_IS_PRCS = 1u << 22,
       AHCI_IS_OFS = 1u << 24,
       AHCI_IS_HBFS = 1u << 29,
       AHCI_IS_TFES = 1u << 30,
};
#define AHCI_IE_MASK 0x7DC000FFu
enum { /* PxCMD */
       AHCI_CMD_ST = 1u << 0,
       AHCI_CMD_SUD = 1u << 1,
       AHCI_CMD_POD = 1u << 2,
       AHCI_CMD_CLO = 1u << 3,
       AHCI_CMD_FRE = 1u << 4,
       AHCI_CMD_FR = 1u << 14,
       AHCI_CMD_CR = 1u << 15,
       AHCI_CMD_ATAPI = 1u << 24,
};
#define AHCI_CMD_WRITABLE (AHCI_CMD_ST | AHCI_CMD_FRE | AHCI_CMD_ATAPI | 1u << 25)
#define AHCI_CMD_CCS_SHIFT 8
#define AHCI_SERR_X (1u << 26) /* device presence changed */

typedef struct {
    struct Ahci *ahci;
    unsigned index;
    AtaDrive drive;          /* .ops NULL: no drive */
    AtaCommand *command[32]; /* under way, by slot; owned until complete */

    /* guest state */
    uint32_t clb, clbu, fb, fbu, is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
    uint8_t next_slot;
    bool halted;          /* after an error: until ST is cleared */
    bool soft_reset;      /* SRST set, not yet cleared */
    bool signature_waits; /* the first D2H FIS, for when FRE is set */
} AhciPort;

struct Ahci {
    PciDevice pci;
    PciBus *bus;
    uint8_t devfn;
    /* guest state */
    uint32_t ghc, index;
    AhciPort port[AHCI_PORTS];
    /* derived */
    uint32_t pending; /* IS as of the last update */
};

/* ahci.c. Recomputes the interrupt; @again: the guest has looked and something is still there. */
void ahci_update_irq(Ahci *ahci, bool again);

/* ahci-port.c */
extern const StateField ahci_port_state[];
void ahci_port_reset(AhciPort *port, bool hard); /* @hard: with the bases, at power-on */
uint32_t ahci_port_read(AhciPort *port, unsigned offset);
void ahci_port_write(AhciPort *port, unsigned offset, uint32_t value);
static inline uint64_t ahci_port_command_list(const AhciPort *port)
{
    return (uint64_t)port->clbu << 32 | port->clb;
}
void ahci_port_send_signature(AhciPort *port);
/* FISes to the guest (§4.2.1), with the interrupt that belongs to them when @interrupt. */
void ahci_port_send_d2h(AhciPort *port, const AtaCommand *command, bool interrupt);
void ahci_port_send_pio_setup(AhciPort *port, const AtaCommand *command, uint16_t length, bool in,
                              bool interrupt);
void ahci_port_send_set_bits(AhciPort *port, uint32_t finished, uint8_t status, uint8_t error);
void ahci_port_send_dma_setup(AhciPort *port, const AtaCommand *command, bool in);
void ahci_port_fail(AhciPort *port, uint32_t is);

/* ahci-command.c. Starts what CI asks for, as far as the drive can take it. */
void ahci_port_run(AhciPort *port);
/* Gives up all that is under way. */
void ahci_port_abort(AhciPort *port);
